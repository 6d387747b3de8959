#pragma once

// What `cow --version` prints.

#include <string>

namespace cow::tool {

/// "cow 1.2.3", and behind it what the library and this program are made of, in lines.
[[nodiscard]] std::string version_text();

}  // namespace cow::tool
