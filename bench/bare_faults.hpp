#pragma once

// What the kernel charges for a signal and for a protection fault that does no more than give the
// page back: the floor under every fault that is handled in user space.

#include <cstddef>

#include "samples.hpp"

namespace cow_bench {

/// A signal that the thread sends itself, with a handler that does nothing.
[[nodiscard]] Samples time_signal_round_trips(std::size_t count);

/// What the handler of a bare fault does with the page.
enum class BareFault {
  mprotect_alone,  ///< makes it writable; the page is a mapping by itself
  mprotect_split,  ///< makes it writable among read-only pages: the kernel splits a mapping
  remap,           ///< writes its bytes elsewhere in a memory file and maps that over it, as the
                   ///< fault of a region must; with nothing else around, the least that can cost
};

/// Where the time of a bare protection fault goes, one sample a fault.
struct BareFaults {
  Samples delivery;  ///< from the store to the first line of the handler
  Samples handler;   ///< its one or two system calls
  Samples back;      ///< from its end to the line after the store
  Samples total;
};

/// Stores to read-only pages of memory that libcow knows nothing about, at random pages where there
/// are several. Takes the process's SIGSEGV action for that time and puts back the one that was
/// there.
[[nodiscard]] BareFaults time_bare_faults(std::size_t count, BareFault kind);

}  // namespace cow_bench
