#pragma once

#include "mm/fault/fault_work.hpp"
#include "mm/space/past_limit.hpp"

namespace cow {

/// Makes `page` of `space` writable, so that the store that faulted on it can run again.
/// `steps` may be null. Signal context: yes; takes the family's lock, and lets it go while the
/// kernel copies and maps: faults in other leaves, or of other address spaces, go on meanwhile.
/// Where a backup has no room for the copy, nothing is done but that `waiting` is to sleep until it
/// has, and then to try again.
FaultOutcome resolve_write_fault(AddressSpace& space, PageIndex page, FaultSteps* steps,
                                 WaitingForSave& waiting) noexcept;

/// The same as part of a control call, which holds the lock; nothing where the page is writable.
/// Throws std::system_error that says `what` has failed; the process ends where it cannot go on.
void break_sharing(AddressSpace& space, PageIndex page, const char* what);

}  // namespace cow
