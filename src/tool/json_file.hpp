#pragma once

#include <sys/types.h>

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace cow::tool {

/// The file that --json names, or another option for a text of results. What is in it stays until
/// `write` puts the whole document in its place; without that nothing has changed, and nothing is
/// left behind. Where the file cannot be replaced (a pipe, somebody else's, one with several names)
/// `write` writes it over.
class JsonFile {
 public:
  /// Tries what `write` will do, so that a name or a disk that will not do is said before the work.
  /// Throws ToolError.
  explicit JsonFile(std::string path, std::string option = "--json");

  /// Replaces the file's content. Throws ToolError if it cannot be written; then it is as it was,
  /// unless it was being written over.
  void write(const nlohmann::ordered_json& document) const;
  void write_text(const std::string& text) const;

 private:
  [[noreturn]] void refuse(int error) const;
  [[nodiscard]] bool is_replaced() const;
  void write_in_place(const std::string& text) const;
  void replace_by(const std::string& text) const;

  std::string path_;    ///< as it was given, for sentences
  std::string option_;  ///< that it was given with
  std::string target_;  ///< what symbolic links lead to
  mode_t mode_ = 0;     ///< of the file that is there; 0 if there is none
  bool is_ours_alone_ = false;
};

}  // namespace cow::tool
