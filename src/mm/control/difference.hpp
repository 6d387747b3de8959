#pragma once

#include <vector>

#include "base/units.hpp"
#include "mm/space/address_space.hpp"
#include "mm/space/family.hpp"

namespace cow {

/// The pages that differ between two tables of one family, neighbours joined. Takes the family's
/// lock for one leaf at a time. Throws std::bad_alloc and std::system_error.
std::vector<PageSpan> difference(Family& family, const PageTable& from, const PageTable& to);

/// The same between `from` and what `space`, a region, shows now, while others store to it.
/// Protects and copies nothing, takes no frame, and the family has not changed afterwards. Where a
/// page got a frame and nobody knows of a store it is read, by pread. Throws the same.
std::vector<PageSpan> difference(const PageTable& from, AddressSpace& space);

/// `spans`, what differs between two tables, where one side has `from` bytes and the other `to`:
/// pages that one side lacks differ, and what lies behind both does not.
std::vector<PageSpan> with_sizes(std::vector<PageSpan> spans, PageGeometry geometry,
                                 std::size_t from, std::size_t to);

}  // namespace cow
