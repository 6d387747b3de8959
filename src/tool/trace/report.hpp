#pragma once

#include <optional>
#include <string>
#include <vector>

namespace cow::tool {

struct TraceReportOptions {
  std::vector<std::string> files;
  std::optional<std::string> page;      ///< -o
  std::optional<std::string> json;      ///< "-": stdout
  std::optional<std::string> perfetto;  ///< "-": stdout
};

/// What traces come to, as text on stdout or as what the options ask for; of what `cow demo` wrote,
/// a page. Returns the exit code. Throws ToolError.
[[nodiscard]] int report_traces(const TraceReportOptions& options);

}  // namespace cow::tool
