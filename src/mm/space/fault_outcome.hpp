#pragma once

#include <cerrno>
#include <cstdint>

namespace cow {

/// What a fault asks for on its way.
enum class FaultStep : std::uint8_t { none, find_frame, allocate, copy, protect, map };

/// How a write fault went.
struct FaultOutcome {
  int error = 0;  ///< an errno value; 0 is success
  FaultStep refused = FaultStep::none;
  bool left_hole = false;  ///< addresses that show nothing: the process cannot go on
  /// Nothing was done: the store waits until a backup has saved its page. See PastLimit.
  bool must_wait = false;
  /// The page was writable already, and the kernel was told so again.
  bool was_writable = false;
  std::uint64_t protections = 0;  ///< protections() then

  [[nodiscard]] bool can_try_again() const noexcept { return error != 0 && !left_hole; }
  [[nodiscard]] bool lacks_mappings() const noexcept {
    return can_try_again() && error == ENOMEM &&
           (refused == FaultStep::map || refused == FaultStep::protect);
  }
  /// The system call, or the function, that refused.
  [[nodiscard]] constexpr const char* call() const noexcept {
    switch (refused) {
      case FaultStep::none: return "";
      case FaultStep::find_frame: return "take_packed";
      case FaultStep::allocate: return "fallocate";
      case FaultStep::copy: return "pwrite";
      case FaultStep::protect: return "mprotect";
      case FaultStep::map: return "mmap";
    }
    __builtin_unreachable();
  }
};

}  // namespace cow
