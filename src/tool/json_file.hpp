#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace cow::tool {

/// The file that --json names. Opened before the work starts, so that a bad name is said at once.
class JsonFile {
 public:
  /// Throws ToolError if the file cannot be written. What is in it stays until `write`.
  explicit JsonFile(std::string path);

  /// Replaces the file's content. Throws ToolError if it cannot be written.
  void write(const nlohmann::ordered_json& document) const;

 private:
  [[noreturn]] void refuse() const;

  std::string path_;
};

}  // namespace cow::tool
