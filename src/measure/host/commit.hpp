#pragma once

// Which libcow this is.

#include <nlohmann/json.hpp>

namespace cow::measure {

/// {"version", "commit", "modified"}: of the sources it was built from. Where they were no git
/// checkout the commit is "unknown", and nothing is said of modifications.
[[nodiscard]] nlohmann::ordered_json libcow_commit();

}  // namespace cow::measure
