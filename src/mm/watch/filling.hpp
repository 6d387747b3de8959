#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

// The first content of a region whose stores the kernel copies goes straight into frames: until
// somebody else is to see it, nothing needs copying, and nothing is there twice.

/// Of a region that was just made and shows zeros: stores go into the frames of its home. Not of
/// one so large that page tables for all of it would cost more than its first snapshot, and not
/// where a user's file is shown. The caller holds the family's lock. Throws std::system_error; then
/// it stays as it was.
/// Cost: O(pages), a page-table entry for each.
void begin_filling(AddressSpace& space);

/// The frames are what `space` shows at this moment, also while other threads store, and from now
/// on the kernel copies. The caller holds the family's lock. Throws std::system_error; then nothing
/// has changed.
/// Cost: one mapping, and O(pages) of page-table entries.
void end_filling(AddressSpace& space);

}  // namespace cow
