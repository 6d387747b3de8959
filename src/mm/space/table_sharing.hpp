#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// `empty` will hold what `space` shows: shared frames, and copies of what is writable still, since
/// it is leased or hot.
/// Precondition: the caller holds the family's lock and keeps stores off: see CopyOnWrite. Returns
/// how many were copied. Throws std::system_error; then `empty` is empty.
PageCount share_table(AddressSpace& space, PageTable& empty);

}  // namespace cow
