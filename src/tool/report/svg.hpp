#pragma once

#include <string>

#include "tool/report/picture.hpp"

namespace cow::tool {

/// An SVG file of the width of a column, for papers: black on white, series told apart by colour,
/// dash and marker, generic fonts.
[[nodiscard]] std::string svg(const Picture& picture);

}  // namespace cow::tool
