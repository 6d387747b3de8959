// Faults side by side. A store is stopped within its fault, at one of the fault's system calls, and
// others go on meanwhile, or wait where they must.

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "eaten_mappings.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "sanitizer.hpp"
#include "stopped_thread.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;
using support::CallFilter;
using support::is;
using support::StoppedThread;
using support::WaitingThread;

namespace {

constexpr std::size_t kLeafPages = 512;

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

/// Two leaves and some, every page written, one page a fault.
Region written_region() {
  Region region =
      Region::create((2 * kLeafPages + 3) * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), 7);
  return region;
}

}  // namespace

TEST_CASE("while the kernel works for one store, stores to other leaves and relatives go on",
          "[mm][handler]") {
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

TEST_CASE("a page that stays where it is keeps only its own leaf busy, too", "[mm][handler]") {
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

TEST_CASE("a second store to a page waits for the first one's fault and makes no second copy",
          "[mm][handler]") {
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
    "a snapshot waits for the faults that are at work, and later stores wait for the snapshot",
    "[mm][handler]") {
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

TEST_CASE("a fault that reads the bytes at a relative's address keeps stores away from them",
          "[mm][handler]") {
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

TEST_CASE("fork waits for a fault that is at work, and the child waits for nobody",
          "[mm][handler]") {
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

TEST_CASE("a store that finds no memory waits for the frame that another one is about to leave",
          "[mm][handler]") {
  SKIP_WITHOUT_STOPPED_THREADS();
  const auto result = support::run_in_child([]() -> std::string {
    Region first = written_region();
    Region second = first.clone();
    std::atomic<bool> go{false};
    {
      WaitingThread without_memory([&] {
        while (!go) std::this_thread::yield();
        CallFilter filter;
        filter.refuse(SYS_pwrite64, {}, ENOSPC);
        if (filter.install_allowing()) support::store(second, 1, 2);
      });
      const StoppedThread stopped(stop_at(At::mapping), [&] { support::store(first, 1, 1); });
      go = true;
      if (!stopped.is_stopped()) return "the first store was not stopped";
      without_memory.wait_for_sleep();
    }
    if (support::load(first.bytes(), 1) != 1) return "the first store is lost";
    if (support::load(second.bytes(), 1) != 2) return "the second store is lost";
    return support::broken_invariant(second);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a restore between the two halves of a fault that takes other leaves misses nothing",
          "[mm][handler]") {
  SKIP_WITHOUT_STOPPED_THREADS();
  Region region = written_region();
  const Snapshot snapshot = region.snapshot();
  Region loop = region.clone();
  for (unsigned i = 0; i < 3; ++i) {  // page 0 is hot: it stays private
    support::store(loop, 0, i);
    loop.restore(snapshot);
  }
  support::store(loop, 0, 9);
  const auto everything = static_cast<std::int64_t>(support::max_map_count());
  {
    std::optional<StoppedThread> other(std::in_place, stop_at(At::copy),
                                       [&] { support::store(region, 2 * kLeafPages, 1); });
    REQUIRE(other->is_stopped());
    cow::mapping_budget::add(everything);  // short of mappings: a fault takes all of the region
    // It waits for the other one, between its own leaf and the rest.
    const StoppedThread fault(CallFilter().stop_at(SYS_futex, {is(1, FUTEX_WAIT_PRIVATE)}),
                              [&] { support::store(region, kLeafPages, 2); });
    CHECK(fault.is_stopped());
    cow::mapping_budget::add(-everything);
    WaitingThread control([&] { loop.restore(snapshot); });
    control.wait_for_sleep();
    other.reset();
    control.wait_for_end();
  }
  const std::uint64_t faults = region.stats().faults;
  support::flip(region, 0);
  CHECK(region.stats().faults == faults);
  loop.restore(snapshot);
  CHECK(support::shows(loop.bytes(), 7));
  CHECK(support::shows(snapshot.bytes(), 7));
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::broken_invariant(loop) == "");
}

TEST_CASE("a store that finds no mapping waits for the reserve that another one gives back",
          "[mm][handler]") {
  SKIP_WITHOUT_STOPPED_THREADS();
  if (support::has_sanitizer) {
    WARN("skipped because a sanitizer needs mappings itself");
    return;
  }
  const auto result = support::run_in_child([]() -> std::string {
    const Region base = written_region();
    const Region other_base = written_region();
    Region region = base.clone();
    Region other = other_base.clone();  // of another family, with another lock
    std::optional<support::EatenMappings> eaten;
    std::atomic<bool> go{false};
    {
      // A thread takes mappings itself: this one is there before they are used up.
      WaitingThread second([&] {
        while (!go) std::this_thread::yield();
        support::store(other, kLeafPages + 1, 2);
      });
      // Giving the reserve back is the only call of this kind that a fault makes.
      StoppedThread stopped(CallFilter().stop_at(SYS_munmap), [&] {
        eaten.emplace(support::spared_by_all);
        support::store(region, 1, 1);
      });
      go = true;
      if (!stopped.is_stopped()) return "nothing was given back";
      second.wait_for_sleep();
      if (second.is_done()) return "the second store found a mapping";
    }
    if (support::load(region.bytes(), 1) != 1) return "the first store is lost";
    if (support::load(other.bytes(), kLeafPages + 1) != 2) return "the second store is lost";
    const std::string wrong = support::broken_invariant(region);
    return wrong.empty() ? support::broken_invariant(other) : wrong;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}
