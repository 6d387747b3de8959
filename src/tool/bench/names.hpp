#pragma once

// The names that --only and --mechanisms take, and the list of them.

#include <string>
#include <vector>

#include "measure/engine/plan.hpp"
#include "tool/screen.hpp"

namespace cow::tool {

/// Those that --mechanisms takes: of all mechanisms, and of the sides that the plans have besides.
/// A name with a comma in it cannot be given.
[[nodiscard]] std::vector<std::string> names_of_mechanisms(const std::vector<measure::Plan>& plans);

/// Throws ToolError if one of `words` is not among `names`, with what may have been meant.
void check_names(const char* kind, const std::vector<std::string>& words,
                 const std::vector<std::string>& names);

/// `cow bench --list`. Returns the exit code.
int list_names(Screen& screen, const std::vector<measure::Plan>& plans);

}  // namespace cow::tool
