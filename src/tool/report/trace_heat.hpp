#pragma once

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tool/report/picture.hpp"

namespace cow::tool {

/// Which pages of the region in which most was copied were copied when. `trace` is what trace_json
/// gives. Nothing if no fault copied a page.
[[nodiscard]] std::optional<Picture> trace_heat(const nlohmann::ordered_json& trace,
                                                const std::string& name);

}  // namespace cow::tool
