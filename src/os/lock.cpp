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
  came_.fetch_add(1);
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    raw_syscall(SYS_futex, argument(&state_), FUTEX_WAIT_PRIVATE, kContended);
  }
  served_.fetch_add(1);
  if (patient_.load() > 0) {
    raw_syscall(SYS_futex, argument(&served_), FUTEX_WAKE_PRIVATE, INT_MAX);
  }
}

void Lock::let_waiters_go_first() noexcept {
  const std::uint32_t came = came_.load();
  // The counts may pass their greatest value: their difference is small.
  const auto are_waiting = [came](std::uint32_t served) {
    return static_cast<std::int32_t>(came - served) > 0;
  };
  if (!are_waiting(served_.load())) return;
  patient_.fetch_add(1);
  for (std::uint32_t served = served_.load(); are_waiting(served); served = served_.load()) {
    raw_syscall(SYS_futex, argument(&served_), FUTEX_WAIT_PRIVATE, served);
  }
  patient_.fetch_sub(1);
}

// The sleeper may be gone before it is woken: to wake whoever sleeps at that address then is no
// harm.
void Latch::open() noexcept {
  is_open_.store(1, std::memory_order_release);
  raw_syscall(SYS_futex, argument(&is_open_), FUTEX_WAKE_PRIVATE, 1);
}

void Latch::wait() noexcept {
  while (is_open_.load(std::memory_order_acquire) == 0) {
    raw_syscall(SYS_futex, argument(&is_open_), FUTEX_WAIT_PRIVATE, 0);
  }
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

void EventCount::announce() noexcept {
  events_.fetch_add(1);
  raw_syscall(SYS_futex, argument(&events_), FUTEX_WAKE_PRIVATE, INT_MAX);
}

void EventCount::wait(std::uint32_t seen) noexcept {
  raw_syscall(SYS_futex, argument(&events_), FUTEX_WAIT_PRIVATE, seen);
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
