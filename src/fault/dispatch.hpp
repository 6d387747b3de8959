#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "mm/fault/write_fault.hpp"
#include "os/fault_signal.hpp"

namespace cow {

/// One resolved fault with all that is known about it.
struct ResolvedFault {
  const os::FaultReport& report;
  PageIndex page;
  FaultSteps steps;
};

/// Gets each resolved fault. Called in the signal handler; must be noexcept and async-signal-safe.
struct FaultListener {
  void (*heard)(void* self, const ResolvedFault& fault) noexcept = nullptr;
  void* self = nullptr;
};

/// Sets or (null) removes the one listener. On return no handler uses the one before any more.
void set_fault_listener(const FaultListener* listener) noexcept;

/// After fork(), in the child: whoever listened was the parent's.
void forget_fault_listener() noexcept;

/// Resolves a store to a region. False: the fault is not ours. Ends the process with a line where
/// it is ours and cannot be resolved. Signal context: yes.
bool handle_fault(const os::FaultReport& report) noexcept;

/// While this thread holds every family's lock for fork(), a fault could only wait for itself: a
/// store to a region ends the process in words.
void note_forking(bool is_forking) noexcept;

/// Write faults resolved since the process started, and by its parent until the fork.
std::uint64_t resolved_fault_count() noexcept;

/// Puts our SIGSEGV action in front. Throws std::system_error.
void ensure_handler_installed();
/// The same for fork(), which holds os::fault_install_lock().
void ensure_handler_installed_locked();

}  // namespace cow
