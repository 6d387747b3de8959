#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// The kernel does not fault on our behalf: read(2) into a protected page fails with EFAULT, or
/// ends short before it. A leased page is private and stays mapped and writable, at the same frame,
/// until the lease ends. Whoever would share it, a snapshot, a clone, a child process, gets a copy
/// instead.

/// Leases `span` of a region. Takes the family's lock. Throws std::system_error; then nothing that
/// can be seen has changed.
void begin_lease(AddressSpace& space, PageSpan span);

/// Ends one lease of exactly `span`. Pages of other leases stay leased. Takes the family's lock.
void end_lease(AddressSpace& space, PageSpan span) noexcept;

// fork(): the caller holds the family's lock.

/// Before: fills child_table(), if `space` has leases. Throws std::system_error.
void prepare_leases_for_child(AddressSpace& space);
/// After, in the parent.
void release_child_table(AddressSpace& space) noexcept;
/// After, in the child, whose frames are all foreign: it has the copies instead of the parent's
/// pages.
void adopt_child_table(AddressSpace& space) noexcept;

}  // namespace cow
