#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// The frames of `span`, which are the region's alone and open to stores, hold zeros: their memory
/// goes back, but for frames that were reserved or are leased. No mapping changes. The caller holds
/// the family's lock.
void clear_frames(AddressSpace& space, PageSpan span) noexcept;

}  // namespace cow
