#pragma once

#include "mm/space/address_space.hpp"
#include "mm/space/copy_on_write.hpp"

namespace cow {

// Who shares frames sees to it first that nobody stores to them: their pages become read-only, and
// the next store faults. The caller holds the family's lock.

/// Makes every writable page read-only, so that its frame can be shared, but for leased ones.
/// Whoever shares the table gets copies of those: see table_sharing.hpp.
/// Cost: O(writable leaves). Throws std::system_error; what it did until then holds.
void write_protect(AddressSpace& space);

/// The same for a snapshot: see CopyOnWrite::share_with_snapshot(). Hot pages that it gets copies
/// of stay writable.
PageCount share_but_hot_pages(AddressSpace& space, PageTable& empty, HotPolicy policy);

/// After write_protect(), when nothing is shared that was not before: the pages of `leaf` that are
/// the region's alone need not fault.
void reopen_own(AddressSpace& space, Leaf& leaf) noexcept;

}  // namespace cow
