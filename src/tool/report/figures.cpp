#include "tool/report/figures.hpp"

#include <filesystem>

#include <fmt/format.h>

#include "tool/json_file.hpp"
#include "tool/quantity.hpp"
#include "tool/report/svg.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

/// What was made here goes again unless all of it was.
class NewFiles {
 public:
  explicit NewFiles(std::string folder) : folder_(std::move(folder)) {
    std::error_code error;
    is_folder_new_ = std::filesystem::create_directory(folder_, error);
    if (!error && std::filesystem::is_directory(folder_, error)) return;
    if (!error) error = std::make_error_code(std::errc::not_a_directory);
    throw ToolError(fmt::format("the folder '{}' cannot be made ({}); give --figures another one",
                                printable(folder_), error.message()));
  }
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;
  ~NewFiles() {
    if (are_kept_) return;
    std::error_code ignored;
    for (const std::string& path : paths_) std::filesystem::remove(path, ignored);
    if (is_folder_new_) std::filesystem::remove(folder_, ignored);
  }

  /// Before `path` is written.
  void note(const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) paths_.push_back(path);
  }
  void keep() { are_kept_ = true; }

 private:
  std::string folder_;
  bool is_folder_new_ = false;
  bool are_kept_ = false;
  std::vector<std::string> paths_;
};

}  // namespace

std::string figure_path(const std::string& folder, const Picture& picture) {
  return (std::filesystem::path(folder) / (picture.id + ".svg")).string();
}

void write_figures(const std::vector<Picture>& pictures, const std::string& folder) {
  NewFiles made(folder);
  for (const Picture& picture : pictures) {
    const std::string path = figure_path(folder, picture);
    made.note(path);
    const std::string text = svg(picture);
    JsonFile(path, "--figures", text.size()).write_text(text);
  }
  made.keep();
}

}  // namespace cow::tool
