#pragma once

#include <cow/stats.hpp>

#include "mm/space/address_space.hpp"

namespace cow {

/// Fills in how many pages of `space` are zero, shared, private, writable and leased. The caller
/// holds the family's lock. Cost: O(pages with page tables), and where the kernel copies one look
/// for pages that were stored to, which stay so. Throws std::system_error where the kernel refuses
/// that.
void count_pages(AddressSpace& space, RegionStats& stats);

}  // namespace cow
