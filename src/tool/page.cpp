#include "tool/page.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

// As src/page/page.html has it.
constexpr std::string_view placeholder = "@COW_DATA@";

// What is tried before the work.
constexpr std::size_t page_room_bytes = std::size_t{1} << 20;

// Beside the program in the same way where it was built and where it is installed.
std::filesystem::path template_path() {
  std::error_code ignored;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return program.parent_path().parent_path() / "share" / "libcow" / "page.html";
}

std::string read_template() {
  const std::filesystem::path path = template_path();
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  if (!file || !content) {
    throw ToolError(fmt::format(
        "pages are made from '{}', which is not there; './run demo --html FILE' builds it, and so "
        "does 'cmake --build FOLDER --target page': both need Node and npm",
        printable(path.string())));
  }
  std::string text = std::move(content).str();
  if (text.find(placeholder) == std::string::npos) {
    throw ToolError(fmt::format("'{}' is no template of a page; build it anew with "
                                "'cmake --build FOLDER --target page'",
                                printable(path.string())));
  }
  return text;
}

}  // namespace

PageFile::PageFile(const std::string& path, const std::string& option)
    : template_(read_template()), file_(path, option, page_room_bytes) {}

void PageFile::write(const nlohmann::ordered_json& data) const {
  std::string page = template_;
  page.replace(page.find(placeholder), placeholder.size(), json_for_html(data));
  file_.write_text(page);
}

void need_page_template() { static_cast<void>(read_template()); }

void write_page(const nlohmann::ordered_json& data, const std::string& path,
                const std::string& option) {
  PageFile(path, option).write(data);
}

std::string json_for_html(const nlohmann::ordered_json& data) {
  // A '<' is nowhere but in strings, where it may be written otherwise.
  const std::string json = one_line(data);
  std::string text;
  text.reserve(json.size());
  for (const char letter : json) {
    if (letter == '<') {
      text += "\\u003c";
    } else {
      text += letter;
    }
  }
  return text;
}

}  // namespace cow::tool
