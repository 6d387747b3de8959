#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tool/json_file.hpp"

namespace cow::tool {

/// One HTML file that replays what was recorded, with nothing else needed: the template that
/// src/page is built to, with the recording in it.
class PageFile {
 public:
  /// Reads the template and tries what `write` will do, so that what is missing is said before the
  /// work. `option` is what the path was given to, for sentences. Throws ToolError.
  explicit PageFile(const std::string& path, const std::string& option = "--html");

  /// `data` is a document of `cow demo --json` or of a trace. Throws ToolError.
  void write(const nlohmann::ordered_json& data) const;

 private:
  std::string template_;
  JsonFile file_;
};

/// Throws ToolError if there is no template to make pages from.
void need_page_template();

/// The same in one call, for data that is there already.
void write_page(const nlohmann::ordered_json& data, const std::string& path,
                const std::string& option = "--html");

/// JSON that may stand in an HTML script element: nothing in it ends the element.
[[nodiscard]] std::string json_for_html(const nlohmann::ordered_json& data);

}  // namespace cow::tool
