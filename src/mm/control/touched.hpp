#pragma once

#include <cstdint>

#include "mm/space/address_space.hpp"

namespace cow {

// What a control call would touch, for estimates: counted in page tables, and by a look at stores
// of which those do not tell. Takes no frame and changes nothing. The caller holds the family's
// lock.

/// Leaves with writable pages.
[[nodiscard]] std::uint64_t writable_leaves(const AddressSpace& space) noexcept;

/// By a snapshot or a clone of `space`: those, and pages that the call copies into frames since no
/// entry tells of the stores to them.
[[nodiscard]] std::uint64_t touched_by_sharing(AddressSpace& space) noexcept;

/// By restoring `snapshot`: pages that show another frame, or were stored to unseen, and eight more
/// for each run of them. Cost: O(page tables that differ).
[[nodiscard]] std::uint64_t touched_by_restoring(AddressSpace& space,
                                                 const PageTable& snapshot) noexcept;

}  // namespace cow
