#include "os/lock.hpp"

#include <linux/futex.h>

#include "os/syscall.hpp"

namespace cow::os {

namespace {

// Long enough for a holder that only touches page tables, short beside a system call.
constexpr int kSpins = 64;

}  // namespace

void Lock::lock_slow() noexcept {
  for (int spin = 0; spin < kSpins; ++spin) {
    std::uint32_t expected = kFree;
    if (state_.load(std::memory_order_relaxed) == kFree &&
        state_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire)) {
      return;
    }
  }
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    raw_syscall(SYS_futex, argument(&state_), FUTEX_WAIT_PRIVATE, kContended);
  }
}

void Lock::wake_one() noexcept { raw_syscall(SYS_futex, argument(&state_), FUTEX_WAKE_PRIVATE, 1); }

}  // namespace cow::os
