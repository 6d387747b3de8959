#pragma once

#include <optional>
#include <string>
#include <vector>

namespace cow::tool {

struct ReportOptions {
  std::vector<std::string> files;
  std::optional<std::string> page;      ///< -o
  std::optional<std::string> json;      ///< "-": stdout
  std::optional<std::string> perfetto;  ///< "-": stdout
};

/// Runs `cow report`: what traces come to, as text on stdout or as what the options ask for.
/// Returns the exit code. Throws ToolError.
[[nodiscard]] int run_report(const ReportOptions& options);

}  // namespace cow::tool
