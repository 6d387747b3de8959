#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// The bytes of `space` become those of `snapshot`, page by page that differs: by overwriting what
/// is the region's alone, and by mapping the snapshot's frame instead of others. The caller holds
/// the family's lock and keeps other threads out. Throws std::system_error; then the bytes are as
/// they were.
void restore_what_differs(AddressSpace& space, const PageTable& snapshot);

}  // namespace cow
