#pragma once

#include "mm/fault/heat.hpp"
#include "mm/space/address_space.hpp"

namespace cow {

// Who shares frames sees to it first that nobody stores to them: their pages become read-only, and
// the next store faults. The caller holds the family's lock.

/// Makes every writable page read-only, so that its frame can be shared, but for leased ones.
/// Whoever shares the table gets copies of those: see share_table in table_sharing.hpp.
/// Cost: O(writable leaves). Throws std::system_error; what it did until then holds.
void write_protect(AddressSpace& space);

/// The same for a snapshot, which gets copies of hot pages, too: their entries stay writable. To
/// hold stores off the kernel lets nobody store to them until reopen_hot(), which must follow then,
/// also after an error.
void write_protect_cold(AddressSpace& space, HotPages pages);
void reopen_hot(AddressSpace& space) noexcept;

}  // namespace cow
