#pragma once

#include <optional>
#include <string>
#include <vector>

namespace cow::tool {

struct ReportOptions {
  std::vector<std::string> files;
  std::optional<std::string> page;      ///< -o
  std::optional<std::string> figures;   ///< --figures
  std::optional<std::string> json;      ///< "-": stdout
  std::optional<std::string> perfetto;  ///< "-": stdout
  bool is_markdown = false;
};

/// Runs `cow report`: what is in the files decides how. Returns the exit code. Throws ToolError.
[[nodiscard]] int run_report(const ReportOptions& options);

}  // namespace cow::tool
