#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace cow::tool {

/// Writes the page that replays `data` (a trace, or chapters of cow demo) to `path`. Throws
/// ToolError.
void write_report_page(const nlohmann::ordered_json& data, const std::string& path);

}  // namespace cow::tool
