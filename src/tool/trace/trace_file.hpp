#pragma once

#include <string>

#include "measure/trace/trace_file.hpp"

namespace cow::tool {

using measure::most_trace_events;
using measure::most_trace_number;
using measure::TraceFile;

/// Reads the file at `path`. Throws ToolError if it is none, or none that this program can read.
[[nodiscard]] TraceFile read_trace(const std::string& path);

using measure::is_trace;

}  // namespace cow::tool
