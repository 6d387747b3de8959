#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cow::tool {

struct TraceOptions {
  std::optional<std::string> file;      ///< nothing: the program's name and .cowtrace, here
  std::optional<std::uint64_t> events;  ///< nothing: as many as libcow takes
  bool has_windows = false;             ///< as it runs without a trace; else each page has a fault
  std::vector<std::string> command;     ///< the program and its arguments
};

/// Runs `cow trace`: the program, and then a few lines about it on stderr. Returns the program's
/// exit code. Throws ToolError.
[[nodiscard]] int run_trace(const TraceOptions& options);

}  // namespace cow::tool
