#pragma once

#include <optional>
#include <string>

namespace cow::measure {

/// The largest readable one of some files of which every Debian system has several: a real file for
/// those who name none. Nothing if none of them is here.
[[nodiscard]] std::optional<std::string> large_file();

}  // namespace cow::measure
