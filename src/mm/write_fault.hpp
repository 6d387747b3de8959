#pragma once

#include <cstdint>

#include "mm/address_space.hpp"

namespace cow {

/// The states of a page, as in the table of docs/model.md.
enum class PageKind : std::uint8_t { zero, shared, sole_owner, private_page };

/// One page as its address space shows it.
struct PageLook {
  PageKind kind = PageKind::zero;
  std::uint64_t file_offset = 0;  ///< of its frame, in bytes; 0 for a zero page
};

/// The caller holds the family's lock.
[[nodiscard]] PageLook look_at(const AddressSpace& space, PageIndex page) noexcept;

/// What happened on the way, for a FaultRecorder. Times are CLOCK_MONOTONIC nanoseconds.
struct FaultSteps {
  PageLook before;
  PageLook after;
  std::uint64_t pages_taken = 0;
  std::uint64_t pages_copied = 0;
  std::uint64_t located_ns = 0;
  std::uint64_t allocated_ns = 0;
  std::uint64_t copied_ns = 0;
  std::uint64_t mapped_ns = 0;
};

/// How a write fault went.
struct FaultOutcome {
  int error = 0;          ///< an errno value; 0 is success
  const char* call = "";  ///< the system call that refused
  /// The page was writable already, and the kernel was told so again.
  bool was_writable = false;
  std::uint64_t protections = 0;  ///< protections() then
  bool left_hole = false;         ///< addresses that show nothing: the process cannot go on
};

/// Makes `page` of `space` writable, so that the store that faulted on it can run again.
/// `steps` may be null. Signal context: yes; takes the family's lock, and lets it go while the
/// kernel copies and maps: faults in other leaves, or of other address spaces, go on meanwhile.
FaultOutcome resolve_write_fault(AddressSpace& space, PageIndex page, FaultSteps* steps) noexcept;

/// The same as part of `turn`: of a fault, or of a control call.
FaultOutcome make_private(AddressSpace& space, PageIndex page, FaultSteps* steps,
                          Turn& turn) noexcept;

}  // namespace cow
