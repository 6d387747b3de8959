#include "os/signal_mask.hpp"

#include <signal.h>

#include "os/syscall.hpp"

namespace cow::os {

SignalsMasked::SignalsMasked() noexcept {
  const std::uint64_t all = ~std::uint64_t{0};
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, argument(&all), argument(&before_), sizeof(before_));
}

SignalsMasked::~SignalsMasked() {
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, argument(&before_), 0, sizeof(before_));
}

}  // namespace cow::os
