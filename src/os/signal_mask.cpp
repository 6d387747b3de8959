#include "os/signal_mask.hpp"

#include <signal.h>

#include <cstdint>

#include "os/syscall.hpp"

namespace cow::os {

namespace {

constexpr std::uint64_t bit_of(int signal) { return std::uint64_t{1} << (signal - 1); }

}  // namespace

const std::uint64_t kAllSignalsButFaults = ~bit_of(SIGSEGV);
const std::uint64_t kAllButRaised =
    ~(bit_of(SIGSEGV) | bit_of(SIGBUS) | bit_of(SIGFPE) | bit_of(SIGILL) | bit_of(SIGTRAP) |
      bit_of(SIGSYS) | bit_of(SIGABRT));

std::uint64_t set_signal_mask(std::uint64_t mask) noexcept {
  std::uint64_t before = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, argument(&mask), argument(&before), sizeof(before));
  return before;
}

}  // namespace cow::os
