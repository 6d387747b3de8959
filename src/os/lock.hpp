#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.hpp"
#include "base/thread_annotations.hpp"
#include "os/lock_order.hpp"

namespace cow::os {

/// A mutual exclusion lock that a fault handler may take: it allocates nothing and sleeps in the
/// kernel (futex) with raw system calls. Three states, after Ulrich Drepper, "Futexes Are Tricky".
///
/// Whoever holds one of the rank of a family's or a later one (os/lock_order.hpp), outside of the
/// handler, has all signals masked (SignalsMasked) and touches no region memory: a handler that
/// stored to a region would wait for its own thread, or for a fork() that waits for that. fork()
/// itself leaves SIGSEGV open, so that such a store ends in words. For locks of earlier ranks no
/// fault waits.
class COW_CAPABILITY("lock") Lock {
 public:
  constexpr explicit Lock(LockRank rank) noexcept : order_(rank) {}

  void lock() noexcept COW_ACQUIRE() {
    order_.check_may_take();
    std::uint32_t expected = kFree;
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) lock_slow();
    order_.note_taken();
  }
  /// The caller says that it holds the lock; see COW_CHECK.
  void assert_held() const noexcept COW_ASSERT_CAPABILITY(this) { COW_CHECK(order_.is_mine()); }

  /// Whoever may take the lock again and again calls this before, without the lock: it returns when
  /// those who wait for the lock now have had it. The lock alone goes to whoever comes first, which
  /// is the one that runs already.
  void let_waiters_go_first() noexcept COW_EXCLUDES(this);

  /// After fork(), in the child: whoever held it does not exist here.
  void reset() noexcept {
    state_.store(kFree, std::memory_order_relaxed);
    order_.forget_holder();
    forget_waiters();
  }
  /// The same where the caller holds it.
  void forget_waiters() noexcept {
    served_.store(came_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    patient_.store(0, std::memory_order_relaxed);
  }

  void unlock() noexcept COW_RELEASE() {
    order_.note_given_back();
    if (state_.exchange(kFree, std::memory_order_release) == kContended) wake_one();
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kContended = 2;  // held, and somebody sleeps or is about to

  void lock_slow() noexcept;
  void wake_one() noexcept;

  std::atomic<std::uint32_t> state_{kFree};
  std::atomic<std::uint32_t> came_{0};     ///< how often a thread came to sleep for the lock
  std::atomic<std::uint32_t> served_{0};   ///< and got it: never ahead of came_
  std::atomic<std::uint32_t> patient_{0};  ///< threads in let_waiters_go_first()
  [[no_unique_address]] LockOrder order_;
};

/// Lets threads sleep until what they wait for, under a lock, may have come about.
class Condition {
 public:
  /// The caller holds `lock`, which is free while it sleeps. May return for no reason.
  void wait(Lock& lock) noexcept COW_REQUIRES(lock);
  /// The caller holds the lock that the sleepers gave.
  void wake_all() noexcept;
  /// After fork(), in the child: there are none.
  void forget_sleepers() noexcept { sleepers_ = 0; }

 private:
  std::atomic<std::uint32_t> changes_{0};
  std::uint32_t sleepers_ = 0;  ///< under the lock
};

/// Closed until somebody opens it, and a place to sleep until then for one thread. Who has opened
/// it does not look at it again, so it may lie on the stack of who sleeps. Signal context: yes.
class Latch {
 public:
  /// By who is going to wait, before anybody else knows of it.
  void close() noexcept { is_open_.store(0, std::memory_order_relaxed); }
  void open() noexcept;
  void wait() noexcept;

 private:
  std::atomic<std::uint32_t> is_open_{0};
};

/// An event count: where a thread sleeps until something is announced, without a lock, so that the
/// fault handler may announce it. Signal context: yes.
class EventCount {
 public:
  void announce() noexcept;
  /// What wait() is to be given: read before looking whether there is anything to do.
  [[nodiscard]] std::uint32_t seen() const noexcept { return events_.load(); }
  /// Sleeps until announce() was called since `seen` was read. May return for no reason.
  void wait(std::uint32_t seen) noexcept;

 private:
  std::atomic<std::uint32_t> events_{0};
};

/// How many threads are inside of something, and a place to sleep for one that waits until all of
/// them have left. Signal context: yes, but for waiting.
class Occupancy {
 public:
  void enter() noexcept { inside_.fetch_add(1); }
  void leave() noexcept {
    if (inside_.fetch_sub(1) == 1 && is_waited_for_.load()) wake();
  }
  /// By one thread at a time, which is not inside. It sleeps: a thread of real-time priority that
  /// looked again and again could keep those inside from the processor they need to leave.
  void wait_until_empty() noexcept;
  /// After fork(), in the child: nobody is inside.
  void reset() noexcept {
    inside_.store(0);
    is_waited_for_.store(false);
  }

 private:
  void wake() noexcept;

  std::atomic<std::uint32_t> inside_{0};
  std::atomic<bool> is_waited_for_{false};
};

class [[nodiscard]] COW_SCOPED_CAPABILITY LockGuard {
 public:
  explicit LockGuard(Lock& lock) noexcept COW_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~LockGuard() COW_RELEASE() { lock_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Lock& lock_;
};

}  // namespace cow::os
