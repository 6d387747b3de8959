// Locks that the kernel itself writes to: with their page protected it cannot, and a lease helps.

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cow/cow.hpp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

using Word = std::uint32_t;

/// A word in a region of which a snapshot was taken, with a lease on it or without.
class SharedWord {
 public:
  SharedWord(Word value, bool leased)
      : region_(Region::create(4 * support::page_bytes(), support::options())) {
    if (leased) lease_.emplace(region_.write_lease(0, sizeof(Word)));
    word_ = ::new (region_.data()) Word{value};
    snapshot_.emplace(region_.snapshot());
  }
  [[nodiscard]] Word& operator*() { return *word_; }

 private:
  Region region_;
  std::optional<cow::WriteLease> lease_;
  Word* word_ = nullptr;
  std::optional<Snapshot> snapshot_;
};

/// 0 or an errno value.
int futex(Word& word, int operation, std::uintptr_t value = 0, std::uintptr_t value2 = 0,
          Word* second = nullptr, std::uintptr_t value3 = 0) {
  const long result =
      ::syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, value2, second, value3);
  return result < 0 ? errno : 0;
}

Word thread_id() { return static_cast<Word>(::syscall(SYS_gettid)); }

/// Waits on `plain`, to be moved to the lock at `lock`, and lets that go again.
class WaiterForLock {
 public:
  WaiterForLock(Word& plain, Word& lock)
      : thread_([&] {
          id_.store(static_cast<pid_t>(thread_id()));
          error_ = futex(plain, FUTEX_WAIT_REQUEUE_PI, 0, 0, &lock);
          if (error_ == 0) error_ = futex(lock, FUTEX_UNLOCK_PI);
        }) {}
  /// Whether it sleeps; false, once it has come back at once.
  [[nodiscard]] bool sleeps() const {
    return support::eventually([&] {
      std::ifstream file("/proc/self/task/" + std::to_string(id_.load()) + "/stat");
      std::string line;
      std::getline(file, line);
      const std::size_t end_of_name = line.rfind(") ");
      return end_of_name != std::string::npos && line[end_of_name + 2] == 'S';
    });
  }
  [[nodiscard]] int join() {
    thread_.join();
    return error_;
  }

 private:
  std::atomic<pid_t> id_{0};
  int error_ = 0;
  std::thread thread_;
};

/// Ends, as a thread or process that shares this memory, with a word to be cleared. What is left in
/// it.
Word left_by_clear_at_exit(Word& word) {
  std::vector<std::byte> stack(std::size_t{64} << 10);
  const auto nothing = [](void*) { return 0; };
  const pid_t child =
      ::clone(nothing, stack.data() + stack.size(), CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD,
              nullptr, nullptr, nullptr, &word);
  if (child < 0 || ::waitpid(child, nullptr, 0) != child) return ~Word{0};
  return word;
}

}  // namespace

TEST_CASE("futex operations by which the kernel writes fail with EFAULT without a lease",
          "[mm][handler]") {
  const bool leased = GENERATE(false, true);
  CAPTURE(leased);
  const int expected = leased ? 0 : EFAULT;
  {
    SharedWord free(0, true);
    if (futex(*free, FUTEX_LOCK_PI) != 0) {
      WARN("skipped: this kernel has no locks with priority inheritance");
      return;
    }
  }
  SharedWord to_lock(0, leased);
  CHECK(futex(*to_lock, FUTEX_LOCK_PI) == expected);
  CHECK(*to_lock == (leased ? thread_id() : 0));
  SharedWord to_try(0, leased);
  CHECK(futex(*to_try, FUTEX_TRYLOCK_PI) == expected);
  SharedWord to_unlock(thread_id(), leased);
  CHECK(futex(*to_unlock, FUTEX_UNLOCK_PI) == expected);
  CHECK(*to_unlock == (leased ? 0 : thread_id()));
  SharedWord to_set(0, leased);
  Word other = 0;
  CHECK(futex(other, FUTEX_WAKE_OP, 1, 1, &*to_set,
              FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0)) == expected);
  CHECK(*to_set == (leased ? 1 : 0));
}

TEST_CASE("a waiter is moved to a lock in a region with a lease, or once the program stored to it",
          "[mm][handler]") {
  if (support::is_emulated()) {
    WARN("skipped: emulators do not move waiters");
    return;
  }
  const bool leased = GENERATE(false, true);
  CAPTURE(leased);
  SharedWord lock(0, leased);
  Word plain = 0;
  WaiterForLock waiter(plain, *lock);
  REQUIRE(waiter.sleeps());
  // Until it has come to its wait it may sleep for another reason.
  const auto move = [&] {
    const long moved =
        ::syscall(SYS_futex, &plain, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, 0, &*lock, 0);
    return moved < 0 ? -errno : static_cast<int>(moved);
  };
  int moved = 0;
  CHECK(support::eventually([&] { return (moved = move()) != 0; }));
  CHECK(moved == (leased ? 1 : -EFAULT));
  if (!leased) {
    std::atomic_ref<Word>(*lock).store(0, support::release_order);
    CHECK(move() == 1);
  }
  CHECK(waiter.join() == 0);
}

TEST_CASE("a robust mutex whose owner has ended says so only under a lease", "[mm][handler]") {
  if (support::is_emulated()) {
    WARN("skipped: emulators keep no lists of robust mutexes");
    return;
  }
  const bool leased = GENERATE(false, true);
  CAPTURE(leased);
  Region region = Region::create(4 * support::page_bytes(), support::options());
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  auto* const mutex = ::new (region.data()) pthread_mutex_t;
  ::pthread_mutex_init(mutex, &attributes);
  std::optional<cow::WriteLease> lease;
  if (leased) lease.emplace(region.write_lease(0, sizeof(*mutex)));
  std::optional<Snapshot> past;
  std::thread owner([&] {
    ::pthread_mutex_lock(mutex);
    past.emplace(region.snapshot());
  });
  owner.join();  // it ended, and still holds it
  CHECK(::pthread_mutex_trylock(mutex) == (leased ? EOWNERDEAD : EBUSY));
  if (leased) {
    CHECK(::pthread_mutex_consistent(mutex) == 0);
    CHECK(::pthread_mutex_unlock(mutex) == 0);
  }
  ::pthread_mutexattr_destroy(&attributes);
}

TEST_CASE("the word that the kernel clears when a thread ends is cleared only under a lease",
          "[mm][handler]") {
  if (support::is_emulated() || support::has_sanitizer) {
    WARN("skipped: an emulator or a sanitizer takes part in how threads end");
    return;
  }
  const bool leased = GENERATE(false, true);
  CAPTURE(leased);
  SharedWord word(5, leased);
  CHECK(left_by_clear_at_exit(*word) == (leased ? 0 : 5));
}

TEST_CASE("a mutex with priority inheritance works under a lease while snapshots are taken",
          "[mm]") {
  Region region = Region::create(4 * support::page_bytes(), support::options());
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  const cow::WriteLease lease = region.write_lease(0, sizeof(pthread_mutex_t));
  auto* const mutex = ::new (region.data()) pthread_mutex_t;
  if (::pthread_mutex_init(mutex, &attributes) != 0) {
    WARN("skipped: this kernel has no locks with priority inheritance");
    return;
  }
  auto* const count = ::new (region.data() + region.page_bytes()) std::uint64_t{0};
  const std::size_t rounds = support::scaled(20'000);
  std::atomic<int> refused{0};
  const auto work = [&] {
    for (std::size_t i = 0; i < rounds; ++i) {
      if (::pthread_mutex_lock(mutex) != 0) ++refused;
      ++*count;
      if (::pthread_mutex_unlock(mutex) != 0) ++refused;
    }
  };
  std::atomic<int> at_work{3};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      work();
      --at_work;
    });
  }
  while (at_work > 0) (void)region.snapshot();
  for (std::thread& thread : threads) thread.join();
  CHECK(refused == 0);
  CHECK(*count == 3 * rounds);
  ::pthread_mutexattr_destroy(&attributes);
}
