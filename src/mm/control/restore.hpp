#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// The bytes of `space` become those of `snapshot`. The caller keeps other threads out of them.
/// Again and again to the same snapshot it costs what was stored to meanwhile: see rollback.hpp.
/// Takes the family's lock. Throws std::system_error; then the bytes are as they were.
void restore_snapshot(AddressSpace& space, const PageTable& snapshot);

}  // namespace cow
