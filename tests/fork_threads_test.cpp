// fork() in programs with threads: beside faults, from any thread, and with threads in the child.
//
// What goes wrong in a thread or in a child is told to the main thread and checked there.

#include "catch.hpp"
#include "process_view.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t pages = 40;
constexpr std::size_t threads = 8;
constexpr unsigned patience_s = 300;  // a child that hangs longer is ended by SIGALRM

/// AddressSanitizer's allocator, unlike libc's, can be left locked in a child by a thread that the
/// child does not have: then the child must not allocate.
#if defined(COW_TEST_THREAD_SANITIZER)
constexpr bool allocator_survives_fork = true;
#else
constexpr bool allocator_survives_fork = !support::has_sanitizer;
#endif

Region zeroed() { return Region::create(pages * support::page_bytes(), support::options()); }

/// Threads that count in words of their own, in random pages, and how far each has come.
class Counters {
 public:
  Counters(Region& region, std::uint64_t seed) : region_(region) {
    for (std::size_t i = 0; i < threads; ++i) {
      crew_.emplace_back([this, i, seed] {
        support::Random random(seed + i);
        while (!stopping_.load(std::memory_order_relaxed)) {
          word(random.below(pages), i).fetch_add(1, std::memory_order_relaxed);
          added_[i].fetch_add(1, std::memory_order_relaxed);
          if (random.one_in(8)) std::this_thread::yield();  // the others need the processors, too
        }
      });
    }
    // A sanitizer sets up a thread with locks held, which a child forked meanwhile would never get.
    for (const auto& added : added_) {
      while (added.load(std::memory_order_relaxed) == 0) std::this_thread::yield();
    }
  }
  ~Counters() { stop(); }
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  void stop() {
    stopping_ = true;
    for (std::thread& thread : crew_) thread.join();
    crew_.clear();
  }

  [[nodiscard]] std::atomic_ref<std::uint64_t> word(std::size_t page, std::size_t thread) const {
    return std::atomic_ref<std::uint64_t>(support::word_at(region_, page, 8 * thread));
  }

  [[nodiscard]] std::vector<std::uint64_t> sums() const {
    std::vector<std::uint64_t> sums(threads);
    for (std::size_t page = 0; page < pages; ++page) {
      for (std::size_t i = 0; i < threads; ++i) sums[i] += word(page, i).load();
    }
    return sums;
  }

  void store_everywhere(std::uint64_t value) const {
    for (std::size_t page = 0; page < pages; ++page) {
      for (std::size_t i = 0; i < threads; ++i) {
        word(page, i).store(value, std::memory_order_relaxed);
      }
    }
  }

  /// How far a thread's sum is ahead of what it says it has added.
  [[nodiscard]] bool all_ahead_by_at_most(std::uint64_t most) const {
    const std::vector<std::uint64_t> seen = sums();
    for (std::size_t i = 0; i < threads; ++i) {
      if (seen[i] - added_[i].load() > most) return false;
    }
    return true;
  }

 private:
  Region& region_;
  std::atomic<bool> stopping_{false};
  std::array<std::atomic<std::uint64_t>, threads> added_{};
  std::vector<std::thread> crew_;
};

/// What a child does at once after a fork in the midst of faults, then a child of its own.
std::string live_through(Region& region, const Counters& counters, unsigned generations) {
  ::alarm(patience_s);
  // Each thread was stopped at its next store, so it has said all but its last one at most.
  if (!counters.all_ahead_by_at_most(1)) return "the bytes are not those of one moment";
  const std::vector<std::uint64_t> at_fork = counters.sums();
  const Snapshot before = region.snapshot();
  counters.store_everywhere(generations);
  const Snapshot after = region.snapshot();
  region.restore(before);
  if (counters.sums() != at_fork) return "restore does not lead back to the fork";
  if (generations > 1) {
    const auto inner =
        support::run_in_child([&] { return live_through(region, counters, generations - 1); });
    if (!inner.complaint.empty()) return inner.complaint;
    if (!inner.exited()) return "a grandchild died or hung";
    if (counters.sums() != at_fork) return "a child sees the stores of its child";
  }
  region.restore(after);
  if (counters.sums() != std::vector<std::uint64_t>(threads, pages * generations)) {
    return "stores of the child are lost";
  }
  return support::broken_invariant(region);
}

}  // namespace

TEST_CASE("children forked beside eight threads that fault store, snapshot, restore and fork",
          "[api]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  Region region = zeroed();
  std::string complaint;
  std::size_t died = 0;
  Counters counters(region, seed);
  for (std::size_t round = 0; round < support::scaled(500) && complaint.empty(); ++round) {
    std::optional<Snapshot> snapshot;
    if (round % 3 == 0) snapshot = region.snapshot();
    const auto result = support::run_in_child([&] { return live_through(region, counters, 2); });
    complaint = result.complaint;
    died += !result.exited();
    if (snapshot && round % 2 == 0) (void)snapshot->bytes();
  }
  counters.stop();
  CHECK(complaint == "");
  CHECK(died == 0);
  CHECK(counters.all_ahead_by_at_most(0));  // the parent's threads lost nothing
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a thread other than the first forks while another makes and drops regions", "[api]") {
  if (!allocator_survives_fork) {
    WARN("skipped: AddressSanitizer's allocator hangs in a child of a program with threads");
    return;
  }
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  Region region = zeroed();
  support::fill(region.bytes(), 1);
  const Snapshot snapshot = region.snapshot();
  std::atomic<bool> stopping{false};
  std::vector<std::thread> crew;
  const auto repeat = [&](auto work) {
    crew.emplace_back([&stopping, work] {
      while (!stopping.load(std::memory_order_relaxed)) work();
    });
  };
  repeat([] {
    Region fresh = zeroed();
    support::store(fresh, 3, 1);
    Region clone = fresh.clone();
    support::store(clone, 4, 1);
  });
  repeat([&] {
    const Snapshot own = region.snapshot();
    Region past = Region::from_snapshot(own);
    support::flip(past, 5);
    past.restore(own);
    if (own.bytes().size() != cow::diff(snapshot, own).size()) (void)region.clone();
  });
  repeat([other = std::make_shared<Region>(zeroed())] {
    std::array<cow::FaultRecord, 16> records;
    const cow::FaultRecorder recorder(records.data(), records.size());
    const Snapshot own = other->snapshot();
    for (std::size_t page = 0; page < pages; ++page) support::flip(*other, page);
  });
  std::string complaint;
  std::size_t died = 0;
  std::thread forker([&] {
    for (std::size_t round = 0; round < support::scaled(150) && complaint.empty(); ++round) {
      const auto result = support::run_in_child([&]() -> std::string {
        ::alarm(patience_s);
        if (!support::shows(region.bytes(), 1)) return "the child sees other bytes";
        const Snapshot own = region.snapshot();
        support::fill(region.bytes(), 2);
        Region clone = region.clone();
        support::fill(clone.bytes(), 3);
        region.restore(own);
        if (!support::shows(region.bytes(), 1)) return "restore in the child is wrong";
        if (!support::shows(clone.bytes(), 3)) return "a clone made in the child is wrong";
        Region fresh = zeroed();
        support::store(fresh, 7, 0xee);
        if (!support::shows(snapshot.bytes(), 1)) return "the parent's snapshot changed";
        return support::broken_invariant(region);
      });
      complaint = result.complaint;
      died += !result.exited();
    }
  });
  forker.join();
  stopping = true;
  for (std::thread& thread : crew) thread.join();
  CHECK(complaint == "");
  CHECK(died == 0);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a child starts threads that store, and forks from them", "[api]") {
  if (!allocator_survives_fork) {
    WARN("skipped: AddressSanitizer's allocator hangs in a child of a program with threads");
    return;
  }
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  Region region = zeroed();
  support::fill(region.bytes(), 1);
  const std::vector<std::byte> plain = support::plain_copy(region.bytes());
  for (std::size_t round = 0; round < support::scaled(10); ++round) {
    const auto result = support::run_in_child([&]() -> std::string {
      ::alarm(patience_s);
      region.restore(region.snapshot());
      for (std::size_t page = 0; page < pages; ++page) {
        std::fill_n(region.data() + page * support::page_bytes(), 8 * threads, std::byte{0});
      }
      Counters counters(region, seed + round);
      std::array<std::string, 3> complaints;
      std::vector<std::thread> forkers;
      for (std::string& complaint : complaints) {
        forkers.emplace_back([&] {
          for (std::size_t i = 0; i < 5 && complaint.empty(); ++i) {
            const auto inner =
                support::run_in_child([&] { return live_through(region, counters, 1); });
            complaint = inner.exited() ? inner.complaint : "a grandchild died or hung";
          }
        });
      }
      for (std::thread& forker : forkers) forker.join();
      counters.stop();
      for (const std::string& complaint : complaints) {
        if (!complaint.empty()) return complaint;
      }
      if (!counters.all_ahead_by_at_most(0)) return "the child's threads lost stores";
      return support::broken_invariant(region);
    });
    REQUIRE(result.complaint == "");
    REQUIRE(result.exited());
  }
  CHECK(support::difference(plain, region.bytes()) == "");
}

TEST_CASE("when two threads fork at once, a child keeps alive nothing of the other's child",
          "[api]") {
  Region region = zeroed();
  support::fill(region.bytes(), 1);
  int line[2];
  REQUIRE(::pipe(line) == 0);
  const auto descriptors = [] {
    (void)cow::process_stats();
    return process_view::descriptors().size();
  };
  // Forks a child that ends at once, or when the pipe does.
  const auto fork_child = [&](bool stays) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::close(line[1]);
    char token = 0;
    while (stays && ::read(line[0], &token, 1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
  };
  const auto wait_for = [](pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  };
  const std::size_t without = descriptors();
  std::vector<pid_t> staying{fork_child(true)};
  const std::size_t for_each_child = descriptors() - without;
  const std::size_t rounds = support::scaled(100);
  std::thread other([&] {
    for (std::size_t i = 0; i < rounds; ++i) wait_for(fork_child(false));
  });
  for (std::size_t i = 0; i < rounds; ++i) staying.push_back(fork_child(true));
  other.join();
  CHECK(support::eventually(
      [&] { return descriptors() == without + for_each_child * staying.size(); }));
  ::close(line[1]);
  for (const pid_t pid : staying) wait_for(pid);
  ::close(line[0]);
  CHECK(support::eventually([&] { return descriptors() == without - 2; }));
}
