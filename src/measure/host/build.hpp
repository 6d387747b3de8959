#pragma once

// How what measures was built.

#include <nlohmann/json.hpp>

namespace cow::measure {

/// {"compiler", "type", "flags", "assertions", "checks", "sanitizers"}.
[[nodiscard]] nlohmann::ordered_json build();

/// Whether figures of such a build are those of a release: optimised, unchecked, no sanitizer.
[[nodiscard]] bool is_release_build();

}  // namespace cow::measure
