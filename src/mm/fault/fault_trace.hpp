#pragma once

#include <cstdint>

#include "mm/space/address_space.hpp"
#include "mm/space/fault_outcome.hpp"

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

/// What the processor and the kernel said, and when the handler began.
struct FaultCause {
  std::uintptr_t address = 0;
  std::uintptr_t instruction_pointer = 0;
  std::uint64_t error_code = 0;
  std::uint64_t entered_ns = 0;
};

/// What happened on the way, for a FaultRecorder and a trace. Times are CLOCK_MONOTONIC
/// nanoseconds.
struct FaultSteps {
  FaultCause cause;
  bool allocates_apart = false;  ///< the frame is allocated in a step of its own, to be timed
  PageLook before;
  PageLook after;
  std::uint64_t pages_taken = 0;
  std::uint64_t pages_copied = 0;
  std::uint64_t located_ns = 0;
  std::uint64_t allocated_ns = 0;
  std::uint64_t copied_ns = 0;
  std::uint64_t mapped_ns = 0;
};

/// Who writes down the steps of a fault while it goes on; nobody, if nobody asked for them.
/// Signal context: yes.
class FaultTrace {
 public:
  FaultTrace() = default;
  explicit FaultTrace(FaultSteps* steps) noexcept : steps_(steps) {}

  /// Whether the frame is to be allocated in a step of its own; otherwise the copy allocates.
  [[nodiscard]] bool allocates_apart() const noexcept {
    return steps_ != nullptr && steps_->allocates_apart;
  }

  void begin(const AddressSpace& space, PageIndex page) noexcept;
  void note_allocated() noexcept;
  void note_copied() noexcept;
  void note_pages(std::uint64_t taken, std::uint64_t copied) noexcept;
  /// Where a trace is on, it is told of the fault: while the lock is held.
  void end(const AddressSpace& space, PageIndex page, const FaultOutcome& outcome) noexcept;

 private:
  FaultSteps* steps_ = nullptr;
};

}  // namespace cow
