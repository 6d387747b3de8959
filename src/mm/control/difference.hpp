#pragma once

#include <vector>

#include "base/units.hpp"
#include "mm/space/family.hpp"

namespace cow {

/// The pages that differ between two tables of one family, neighbours joined. Takes the family's
/// lock for one leaf at a time. Throws std::bad_alloc and std::system_error.
std::vector<PageSpan> difference(Family& family, const PageTable& from, const PageTable& to);

}  // namespace cow
