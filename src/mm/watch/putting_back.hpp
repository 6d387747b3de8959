#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// Restores a region whose stores the kernel copies: what was stored to shows the snapshot's bytes
/// again, without becoming frames first. The caller holds the family's lock and keeps other threads
/// out of the region. Throws std::system_error; then the bytes are as they were.
/// Cost: O(pages stored to + leaves that differ + what a look costs).
void restore_watched(AddressSpace& space, const PageTable& snapshot);

}  // namespace cow
