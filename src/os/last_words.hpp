#pragma once

#include <cstdint>

namespace cow::os {

/// What could not be done for a store, said to whoever reads stderr.
struct LastWords {
  std::uintptr_t address = 0;
  std::uintptr_t region_begin = 0;
  std::uintptr_t region_end = 0;
  const char* call = "";
  int error = 0;
};

/// Writes one line to stderr with write(2) and dies of SIGBUS, as a store to a full tmpfs does.
/// Signal context: yes.
[[noreturn]] void die_of_store(const LastWords& words) noexcept;

/// The same for what can neither go on nor go back and has nobody to tell: a control call, fork(),
/// a store in the middle of fork(). `what` says it.
[[noreturn]] void die_of(const char* what, int error) noexcept;

}  // namespace cow::os
