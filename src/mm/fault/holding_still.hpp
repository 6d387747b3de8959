#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

// A leased page is private, and stays mapped and writable at the same frame: see control/lease.hpp.
// The caller holds the family's lock. What throws, throws std::system_error.

/// Makes every page private, as a store to each would. The frames are allocated: a kernel that
/// writes to a page without a frame and without memory would say EFAULT.
void own_pages(AddressSpace& space, PageSpan span);

/// The entries say so, or say so no more.
void mark_leased(AddressSpace& space, PageSpan span, bool leased) noexcept;

/// After fork(), in the child, whose table has copies instead of the parent's leased pages: shows
/// them.
void show_leased_pages(AddressSpace& space);

}  // namespace cow
