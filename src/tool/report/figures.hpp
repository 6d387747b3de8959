#pragma once

#include <string>
#include <vector>

#include "tool/report/picture.hpp"

namespace cow::tool {

[[nodiscard]] std::string figure_path(const std::string& folder, const Picture& picture);

/// Writes every picture as ID.svg to `folder`, which is made if it is not there. Throws ToolError;
/// then no file is there that was not before.
void write_figures(const std::vector<Picture>& pictures, const std::string& folder);

}  // namespace cow::tool
