#include "os/lock.hpp"

#include <linux/futex.h>

#include <climits>

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
  waiting_.fetch_add(1);
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    raw_syscall(SYS_futex, argument(&state_), FUTEX_WAIT_PRIVATE, kContended);
  }
  waiting_.fetch_sub(1);
  served_.fetch_add(1);
  if (patient_.load() > 0) {
    raw_syscall(SYS_futex, argument(&served_), FUTEX_WAKE_PRIVATE, INT_MAX);
  }
}

void Lock::let_waiters_go_first() noexcept {
  const std::uint32_t served_before = served_.load();
  const std::uint32_t waiters = waiting_.load();
  if (waiters == 0) return;
  patient_.fetch_add(1);
  for (;;) {
    const std::uint32_t served = served_.load();
    if (served - served_before >= waiters || waiting_.load() == 0) break;
    raw_syscall(SYS_futex, argument(&served_), FUTEX_WAIT_PRIVATE, served);
  }
  patient_.fetch_sub(1);
}

void Condition::wait(Lock& lock) noexcept {
  const std::uint32_t seen = changes_.load(std::memory_order_relaxed);
  ++sleepers_;
  lock.unlock();
  raw_syscall(SYS_futex, argument(&changes_), FUTEX_WAIT_PRIVATE, seen);
  lock.lock();
  --sleepers_;
}

void Condition::wake_all() noexcept {
  if (sleepers_ == 0) return;
  changes_.fetch_add(1, std::memory_order_relaxed);
  raw_syscall(SYS_futex, argument(&changes_), FUTEX_WAKE_PRIVATE, INT_MAX);
}

// Whoever leaves after the count was read has changed it, so that the kernel lets nobody sleep; or
// leaves as the last one and, since the flag was set before, sees that it has to wake somebody.
void Occupancy::wait_until_empty() noexcept {
  is_waited_for_.store(true);
  for (std::uint32_t inside = inside_.load(); inside != 0; inside = inside_.load()) {
    raw_syscall(SYS_futex, argument(&inside_), FUTEX_WAIT_PRIVATE, inside);
  }
  is_waited_for_.store(false);
}

void Occupancy::wake() noexcept {
  raw_syscall(SYS_futex, argument(&inside_), FUTEX_WAKE_PRIVATE, INT_MAX);
}

void Lock::wake_one() noexcept { raw_syscall(SYS_futex, argument(&state_), FUTEX_WAKE_PRIVATE, 1); }

}  // namespace cow::os
