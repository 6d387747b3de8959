#pragma once

#include <cstdint>

#include "mm/space/address_space.hpp"

namespace cow {

// What a control call would touch, for estimates: counted in page tables, and where the kernel
// copies by a look at what was stored to, which stays so. Takes no frame and changes nothing. The
// caller holds the family's lock.

/// By a snapshot or a clone of `space`: leaves with writable pages, or pages that were stored to
/// where the kernel copies.
[[nodiscard]] std::uint64_t touched_by_sharing(AddressSpace& space) noexcept;

/// By restoring `snapshot`: pages that show another frame, or were stored to where the kernel
/// copies, and eight more for each run of them. Cost: O(page tables that differ).
[[nodiscard]] std::uint64_t touched_by_restoring(AddressSpace& space,
                                                 const PageTable& snapshot) noexcept;

}  // namespace cow
