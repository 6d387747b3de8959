#pragma once

/// @file
/// libcow's place among the handlers of SIGSEGV, and what a write fault was.

#include <cstddef>
#include <cstdint>

#include <cow/export.hpp>

namespace cow {

/// True while libcow's action is the process's SIGSEGV action. Another library may replace it;
/// libcow notices at the next control call (create, clone, snapshot, restore) and installs its
/// own in front again, keeping the other one as the action for faults that are not ours. Only a
/// restore in a loop that copies hot pages back and needs no system call does not look.
/// Thread safe, async-signal-safe. Cost: one system call.
[[nodiscard]] COW_API bool owns_sigsegv() noexcept;

/// Installs libcow's SIGSEGV action in front of whatever is there, unless it is in front already.
/// Throws std::system_error if the kernel refuses, std::logic_error on a stack that lies in a
/// region. Thread safe. Cost: one system call where it is in front; else some more.
COW_API void reinstall_handler();

/// For a runtime whose own SIGSEGV handler must stay in front: call this first, with the
/// three arguments of that handler (siginfo is its siginfo_t*). True when the fault was a store to
/// a region and is resolved (return from the handler, the store runs again); false when it is not
/// ours and nothing was done. A store to a region that cannot be resolved ends the process, as in
/// libcow's own handler. Thread safe, async-signal-safe. Cost: that of the fault. All signals
/// should be blocked while it runs (`sa_mask` full), since a handler that stores into the same
/// region would wait for it for ever.
COW_API bool try_handle_fault(int signal, void* siginfo, void* context) noexcept;

/// What a page was to its region, before and after a fault.
enum class PageState : std::uint8_t {
  zero,          ///< read-only, no frame yet
  shared,        ///< read-only, frame referenced by other tables too
  sole_owner,    ///< read-only, frame referenced by this table alone
  private_page,  ///< writable, frame referenced by this table alone
};

/// One resolved write fault, as the handler saw it. Times are CLOCK_MONOTONIC nanoseconds.
struct FaultRecord {
  std::uintptr_t address = 0;              ///< the address the CPU refused to store to
  std::uintptr_t instruction_pointer = 0;  ///< the store instruction
  std::uint64_t error_code = 0;            ///< x86-64: REG_ERR; arm64: ESR_EL1
  bool has_error_code = false;             ///< false where the kernel gave no record (emulators)
  std::size_t page = 0;                    ///< page of the region
  /// Pages made writable by this fault, the store's and its window. What a fault takes besides
  /// where kernel mappings are short, among other 512 pages, is in RegionStats alone.
  std::size_t pages_taken = 0;
  std::size_t pages_copied = 0;          ///< of those; for this region, or for its snapshots
  PageState before = PageState::zero;    ///< what the page was when the handler had the lock
  PageState after = PageState::zero;     ///< what it is now
  std::uint64_t file_offset_before = 0;  ///< of the page's frame in its frame file; 0: it had none
  std::uint64_t file_offset_after = 0;   ///< where it is now
  std::uint64_t entered_ns = 0;          ///< the handler began
  std::uint64_t located_ns = 0;          ///< region found, lock held, entry read
  std::uint64_t allocated_ns = 0;        ///< a frame was allocated
  std::uint64_t copied_ns = 0;           ///< the bytes were copied into it
  std::uint64_t mapped_ns = 0;           ///< the page shows it, writable
};

/// While one is alive, the handler describes every write fault it resolves in `records`, oldest
/// first, until they are full. For lectures and diagnosis: a recorded fault allocates its frame in
/// a step of its own so that the two can be timed apart, which makes it slower.
/// It records the process that made it, all its threads; in a child made by fork() it has ended,
/// and its size() is 0.
class COW_API FaultRecorder {
 public:
  /// Starts recording into the `capacity` records at `records`, which must stay where they are
  /// until the recorder is gone. Throws std::logic_error if they lie in a region, or if there is a
  /// recorder already: there can be one at a time. Waits for the faults that are being resolved.
  FaultRecorder(FaultRecord* records, std::size_t capacity);
  /// Ends the recording, and waits for handlers that are writing a record. The records stay.
  ~FaultRecorder();
  FaultRecorder(const FaultRecorder&) = delete;
  FaultRecorder& operator=(const FaultRecorder&) = delete;

  /// Faults recorded so far, at most `capacity`. Thread safe: the records below are complete.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  std::uint64_t recording_;
};

}  // namespace cow
