#pragma once

#include <cow/stats.hpp>

#include "mm/space/address_space.hpp"

namespace cow {

/// Fills in how many pages of `space` are zero, shared, private, writable and leased. The caller
/// holds the family's lock. Cost: O(pages with page tables), and a look for stores of which those
/// do not tell. Throws std::system_error where the kernel refuses that.
void count_pages(AddressSpace& space, RegionStats& stats);

}  // namespace cow
