#pragma once

#include <nlohmann/json_fwd.hpp>

#include "demo/record/step.hpp"

namespace cow::demo {

/// A recording as a document: `chapter`, `title`, `steps`. A frame is named by its index in the
/// step's `frames`.
[[nodiscard]] nlohmann::ordered_json recording_json(const Recording& recording);

/// Regions as a child process sends them to its parent.
[[nodiscard]] nlohmann::ordered_json regions_json(const std::vector<RegionView>& regions);
/// Throws nlohmann::json::exception for anything else.
[[nodiscard]] std::vector<RegionView> regions_of(const nlohmann::ordered_json& document);

}  // namespace cow::demo
