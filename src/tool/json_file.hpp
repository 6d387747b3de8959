#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace cow::tool {

/// More than a document of results takes.
inline constexpr std::size_t json_room_bytes = std::size_t{64} << 10;

/// A document on one line, without a line end. What in it is not UTF-8 (a file name need not be) is
/// replaced.
[[nodiscard]] std::string one_line(const nlohmann::ordered_json& document);

/// The file that --json names, or another such option. What is in it stays until `write` puts the
/// whole document in its place; without that nothing has changed, and nothing is left behind. Where
/// the file cannot be replaced (a pipe, somebody else's, one with several names) `write` writes it
/// over.
class JsonFile {
 public:
  /// Tries what `write` will do, so that a name or a disk that will not do is said before the work.
  /// Throws ToolError.
  explicit JsonFile(std::string path, std::string option = "--json",
                    std::size_t room_bytes = json_room_bytes);

  /// Replaces the file's content. Throws ToolError if it cannot be written; then it is as it was,
  /// unless it was being written over.
  void write(const nlohmann::ordered_json& document) const;
  /// The same with any text.
  void write_text(const std::string& text) const;

 private:
  [[noreturn]] void refuse(int error) const;
  [[nodiscard]] bool is_replaced() const;
  void write_in_place(const std::string& text) const;
  void replace_by(const std::string& text) const;

  std::string path_;    ///< as it was given, for sentences
  std::string option_;  ///< that it was given to
  std::string target_;  ///< what symbolic links lead to
  mode_t mode_ = 0;     ///< of the file that is there; 0 if there is none
  bool is_ours_alone_ = false;
};

}  // namespace cow::tool
