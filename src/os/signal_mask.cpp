#include "os/signal_mask.hpp"

#include <signal.h>

#include <cstdint>

#include "os/syscall.hpp"

namespace cow::os {

const std::uint64_t kAllSignalsButFaults = ~(std::uint64_t{1} << (SIGSEGV - 1));

std::uint64_t set_signal_mask(std::uint64_t mask) noexcept {
  std::uint64_t before = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, argument(&mask), argument(&before), sizeof(before));
  return before;
}

}  // namespace cow::os
