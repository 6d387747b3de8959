#include "tool/trace/trace_file.hpp"

#include "tool/tool_error.hpp"

namespace cow::tool {

TraceFile read_trace(const std::string& path) {
  try {
    return measure::read_trace(path);
  } catch (const measure::TraceError& error) {
    throw ToolError(error.what());
  }
}

}  // namespace cow::tool
