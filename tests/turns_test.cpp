// Faults side by side. A store is stopped within its fault, at one of the fault's system calls, and
// others go on meanwhile, or wait where they must.

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <functional>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;
using support::CallFilter;
using support::is;

namespace {

constexpr std::size_t kLeafPages = 512;

/// A thread whose first system call of a kind is stopped until finish().
class StoppedThread {
 public:
  /// Returns when it has been stopped, or is done without such a call, or got no filter.
  StoppedThread(CallFilter filter, std::function<void()> body) {
    thread_ = std::thread([this, filter = std::move(filter), body = std::move(body)]() mutable {
      listener_ = filter.install_listening();
      ready_.count_down();
      if (listener_ >= 0) body();
      done_ = true;
    });
    ready_.wait();
    has_listener_ = listener_ >= 0;
    while (has_listener_ && !done_ && !is_stopped_) is_stopped_ = hear();
  }
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;
  ~StoppedThread() { finish(); }

  [[nodiscard]] bool has_listener() const { return has_listener_; }
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }

  /// Lets it go on, at that call and at all later ones.
  void finish() {
    if (!thread_.joinable()) return;
    if (is_stopped_) let_go();
    while (has_listener_ && !done_) {
      if (hear()) let_go();
    }
    thread_.join();
    if (has_listener_) ::close(listener_);
  }

 private:
  bool hear() {
    pollfd ready{listener_, POLLIN, 0};
    constexpr int kMilliseconds = 5;
    if (::poll(&ready, 1, kMilliseconds) != 1 || (ready.revents & POLLIN) == 0) return false;
    heard_ = {};
    return ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &heard_) == 0;
  }
  void let_go() {
    seccomp_notif_resp answer{};
    answer.id = heard_.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }

  std::latch ready_{1};
  std::atomic<int> listener_{-1};
  std::atomic<bool> done_{false};
  bool has_listener_ = false;
  bool is_stopped_ = false;
  seccomp_notif heard_{};
  std::thread thread_;
};

/// The calls of a fault that moves its page: the copy, and the new mapping. And of one that stays.
enum class At { copy, mapping, protection };
CallFilter stop_at(At call) {
  constexpr std::uint32_t kWritable = PROT_READ | PROT_WRITE;
  CallFilter filter;
  if (call == At::copy) filter.stop_at(SYS_pwrite64);
  if (call == At::protection) filter.stop_at(SYS_mprotect, {is(2, kWritable)});
  if (call == At::mapping) {
    filter.stop_at(SYS_mmap, {is(2, kWritable), is(3, MAP_SHARED | MAP_FIXED, MAP_POPULATE)});
  }
  return filter;
}

bool can_stop_threads() {
  static const support::ChildResult result = support::run_in_child([]() -> std::string {
    const StoppedThread thread(CallFilter().stop_at(SYS_getppid), [] { ::syscall(SYS_getppid); });
    return thread.is_stopped() ? "" : "not stopped";
  });
  return result.exited() && result.complaint.empty();
}

#define SKIP_WITHOUT_STOPPED_THREADS()                                              \
  if (!can_stop_threads()) {                                                        \
    WARN("skipped because system calls cannot be stopped here (seccomp listener)"); \
    return;                                                                         \
  }

/// Two leaves and some, every page written, one page a fault.
Region written_region() {
  Region region =
      Region::create((2 * kLeafPages + 3) * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), 7);
  return region;
}

/// Whether the thread sleeps on a lock.
bool sleeps(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/syscall");
  std::string line;
  return std::getline(file, line) && line.starts_with(std::to_string(SYS_futex) + " ");
}

/// A thread that may have to wait for others.
class WaitingThread {
 public:
  explicit WaitingThread(std::function<void()> body)
      : thread_([this, body = std::move(body)] {
          id_ = static_cast<pid_t>(::syscall(SYS_gettid));
          started_.count_down();
          body();
          done_ = true;
        }) {}
  ~WaitingThread() { thread_.join(); }
  /// Returns when it sleeps on a lock, or is done.
  void wait_for_sleep() {
    started_.wait();
    while (!done_ && !sleeps(id_)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  [[nodiscard]] bool is_done() const { return done_; }

 private:
  std::latch started_{1};
  pid_t id_ = 0;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("while the kernel works for one store, stores to other leaves and relatives go on") {
  SKIP_WITHOUT_STOPPED_THREADS();
  for (const At call : {At::copy, At::mapping}) {
    const Region base = written_region();
    Region region = base.clone();
    Region other = base.clone();
    {
      StoppedThread stopped(stop_at(call), [&] { support::store(region, 1, 1); });
      REQUIRE(stopped.is_stopped());
      support::store(region, kLeafPages, 2);      // another leaf
      support::store(region, 2 * kLeafPages, 3);  // and the last
      support::store(other, 1, 4);                // the same page of a relative
      CHECK(support::load(region.bytes(), kLeafPages) == 2);
      CHECK(support::load(other.bytes(), 1) == 4);
    }
    CHECK(support::load(region.bytes(), 1) == 1);
    CHECK(region.stats().faults == 3);
    CHECK(region.stats().pages_copied == 3);
    CHECK(support::shows(base.bytes(), 7));
    CHECK(support::broken_invariant(region) == "");
    CHECK(support::broken_invariant(other) == "");
  }
}

TEST_CASE("a page that stays where it is keeps only its own leaf busy, too") {
  SKIP_WITHOUT_STOPPED_THREADS();
  Region region = written_region();
  const Snapshot snapshot = region.snapshot();
  for (const At call : {At::copy, At::protection}) {
    const std::size_t page = call == At::copy ? 1 : 2;
    StoppedThread stopped(stop_at(call), [&] { support::store(region, page, 1); });
    REQUIRE(stopped.is_stopped());
    support::store(region, kLeafPages + page, 2);
    CHECK(support::load(region.bytes(), kLeafPages + page) == 2);
  }
  CHECK(region.stats().pages_copied == 4);
  CHECK(support::shows(snapshot.bytes(), 7));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a second store to a page waits for the first one's fault and makes no second copy") {
  SKIP_WITHOUT_STOPPED_THREADS();
  const Region base = written_region();
  Region region = base.clone();
  std::optional<StoppedThread> stopped(std::in_place, stop_at(At::copy),
                                       [&] { support::store(region, 1, 1); });
  REQUIRE(stopped->is_stopped());
  {
    WaitingThread second([&] { support::store(region, 1, 2, 64); });
    second.wait_for_sleep();
    CHECK_FALSE(second.is_done());
    stopped.reset();
  }
  CHECK(support::load(region.bytes(), 1) == 1);
  CHECK(support::load(region.bytes(), 1, 64) == 2);
  CHECK(region.stats().pages_copied == 1);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE(
    "a snapshot waits for the faults that are at work, and later stores wait for the snapshot") {
  SKIP_WITHOUT_STOPPED_THREADS();
  const Region base = written_region();
  for (const At call : {At::copy, At::mapping}) {
    Region region = base.clone();
    std::optional<StoppedThread> stopped(std::in_place, stop_at(call),
                                         [&] { support::store(region, 1, 1); });
    REQUIRE(stopped->is_stopped());
    std::optional<Snapshot> snapshot;
    {
      WaitingThread control([&] { snapshot = region.snapshot(); });
      control.wait_for_sleep();
      CHECK_FALSE(control.is_done());
      WaitingThread later([&] { support::store(region, kLeafPages, 2); });
      later.wait_for_sleep();
      CHECK_FALSE(later.is_done());
      stopped.reset();
    }
    // The stores and the call were concurrent: each came before it or after it.
    const auto is_either = [&](std::size_t page, unsigned after) {
      const unsigned seen = support::load(snapshot->bytes(), page);
      return seen == after || seen == support::load(base.bytes(), page);
    };
    CHECK(is_either(1, 1));
    CHECK(is_either(kLeafPages, 2));
    CHECK(support::shows(base.bytes(), 7));
    CHECK(support::load(region.bytes(), 1) == 1);
    CHECK(support::load(region.bytes(), kLeafPages) == 2);
    CHECK(support::broken_invariant(region) == "");
  }
}

TEST_CASE("a fault that reads the bytes at a relative's address keeps stores away from them") {
  SKIP_WITHOUT_STOPPED_THREADS();
  Region base = written_region();
  const unsigned before = support::load(base.bytes(), 1);
  Region clone = base.clone();
  std::optional<StoppedThread> stopped(std::in_place, stop_at(At::copy),
                                       [&] { support::store(clone, 1, 1, 64); });
  REQUIRE(stopped->is_stopped());
  {
    WaitingThread owner([&] { support::store(base, 1, before + 1); });
    owner.wait_for_sleep();
    CHECK_FALSE(owner.is_done());
    support::store(base, kLeafPages + 1, 5);
    stopped.reset();
  }
  CHECK(support::load(clone.bytes(), 1) == before);
  CHECK(support::load(base.bytes(), 1) == (before + 1) % 256);
  CHECK(support::broken_invariant(base) == "");
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("fork waits for a fault that is at work, and the child waits for nobody") {
  SKIP_WITHOUT_STOPPED_THREADS();
  const Region base = written_region();
  for (int round = 0; round < 8; ++round) {  // fork or snapshot, whoever comes first
    Region region = base.clone();
    std::optional<StoppedThread> stopped(std::in_place, stop_at(At::mapping),
                                         [&] { support::store(region, 1, 1); });
    REQUIRE(stopped->is_stopped());
    support::ChildResult result;
    {
      WaitingThread forking([&] {
        result = support::run_in_child([&]() -> std::string {
          support::store(region, 1, 9);
          support::store(region, kLeafPages, 9);
          if (support::load(region.bytes(), kLeafPages) != 9) return "the child's store is lost";
          return support::broken_invariant(region);
        });
      });
      forking.wait_for_sleep();
      WaitingThread control([&] { static_cast<void>(region.snapshot()); });
      control.wait_for_sleep();
      CHECK_FALSE(control.is_done());
      stopped.reset();
    }
    CHECK(result.exited());
    CHECK(result.complaint == "");
    CHECK(support::load(region.bytes(), 1) == 1);
    CHECK(support::broken_invariant(region) == "");
  }
}
