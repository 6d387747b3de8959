#pragma once

#include <cstdint>

#include "os/lock.hpp"

namespace cow::os {

/// The signal a refused store raises.
extern const int kFaultSignal;

/// What the hardware and the kernel said about a fault.
struct FaultReport {
  std::uintptr_t address = 0;  ///< untagged
  std::uintptr_t instruction_pointer = 0;
  std::uint64_t error_code = 0;  ///< x86-64: REG_ERR; arm64: the ESR record
  bool has_error_code = false;
  bool is_protection = false;  ///< SEGV_ACCERR: mapped, but not for this access
  /// Where the report cannot tell, true for is_protection, unless the address was to be run.
  bool is_write = false;
};

/// Decodes the arguments of a SIGSEGV handler. Signal context: yes.
FaultReport decode_fault(const void* siginfo, const void* context) noexcept;

/// Resolves a fault and returns true, or false: it is somebody else's. Runs in the signal handler.
using FaultHandler = bool (*)(const FaultReport&) noexcept;

/// Puts our SIGSEGV action in front, unless it is there already; the one it replaces gets the
/// faults that `handler` does not want. It is the same handler at every call. Thread safe. Throws
/// std::system_error.
void install_fault_handler(FaultHandler handler);

/// The lock under which the action is installed: fork() must not copy it half-way through.
Lock& fault_install_lock() noexcept;
/// install_fault_handler() for who holds that lock, with signals masked.
void install_fault_handler_locked(FaultHandler handler);

/// Whether our action is the one the kernel will call. Signal context: yes.
bool fault_handler_is_installed() noexcept;

}  // namespace cow::os
