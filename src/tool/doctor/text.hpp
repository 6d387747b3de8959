#pragma once

#include <string>
#include <vector>

#include "tool/doctor/advice.hpp"

namespace cow::tool {

/// All of it, at most 80 columns wide, the worst first.
[[nodiscard]] std::string doctor_text(const Verdict& verdict, const std::vector<Line>& lines);

}  // namespace cow::tool
