#pragma once

#include <string>

#include "tool/trace/trace_file.hpp"

namespace cow::tool {

/// The trace in the JSON of Chrome's trace events, which ui.perfetto.dev opens: faults and calls as
/// slices of their threads, a fault's parts within it, and the frames and writable pages of each
/// family over time. Throws ToolError.
[[nodiscard]] std::string perfetto_json(const TraceFile& trace);

}  // namespace cow::tool
