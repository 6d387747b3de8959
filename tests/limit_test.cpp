// A limit for the memory of a family: who is called when it is reached, how often, and where.

#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

Region filled(std::size_t pages, std::uint64_t pattern) {
  return support::filled(pages, pattern, support::single_page_options());
}

bool eventually_is(const std::atomic<int>& value, int expected) {
  return support::eventually([&] { return value == expected; });
}

/// Another whole copy of the region's pages, and a control call that notices it with either
/// mechanism.
void grow_by_a_copy(Region& region, std::vector<Snapshot>& kept, std::uint64_t pattern) {
  kept.push_back(region.snapshot());
  support::fill(region.bytes(), pattern);
  kept.push_back(region.snapshot());
  (void)region.snapshot();
}

/// A region of so many leaves, each of them opened by one store: most frames in use have no memory.
Region opened(std::size_t leaves) {
  constexpr std::size_t pages = 512;
  Region region = Region::create(leaves * pages * support::page_bytes(), support::options());
  for (std::size_t leaf = 0; leaf < leaves; ++leaf) support::store(region, leaf * pages, 1);
  return region;
}

void store_to_each(Region& region, std::size_t step, unsigned char value) {
  const std::size_t pages = region.size() / region.page_bytes();
  for (std::size_t page = 0; page < pages; page += step) support::store(region, page, value);
}

}  // namespace

TEST_CASE("who set a limit is called once each time the family passes it from below", "[api]") {
  Region region = filled(400, 1);
  const std::size_t bytes = region.size();
  std::atomic<int> calls{0};
  std::atomic<std::size_t> seen{0};
  // What the kernel copied lies beside the frames of the last snapshot, also when that has gone.
  const std::size_t most = bytes + bytes / 2 + (support::kernel_copies() ? bytes : 0);
  region.limit_family_bytes(most, [&](std::size_t in_use) {
    seen = in_use;
    ++calls;
  });
  CHECK(calls == 0);
  std::vector<Snapshot> kept;
  grow_by_a_copy(region, kept, 2);
  CHECK(eventually_is(calls, 1));
  CHECK(seen >= most);
  grow_by_a_copy(region, kept, 3);  // further above
  grow_by_a_copy(region, kept, 4);
  CHECK(calls == 1);
  kept.clear();
  cow::trim();
  CHECK(calls == 1);
  grow_by_a_copy(region, kept, 5);
  CHECK(eventually_is(calls, 2));
  region.limit_family_bytes(0, nullptr);
}

TEST_CASE("the function may drop snapshots, so that a history stays below its limit",
          "[api][handler]") {
  Region region = filled(200, 1);
  std::mutex lock;
  std::vector<Snapshot> history;
  std::atomic<int> calls{0};
  const std::size_t most = 4 * region.size();
  // Until there is room again: the other thread may have gone on meanwhile.
  region.limit_family_bytes(most, [&](std::size_t) {
    while (cow::process_stats().bytes_in_use > most / 2) {
      std::vector<Snapshot> oldest;
      {
        const std::lock_guard guard(lock);
        const auto half = history.begin() + static_cast<std::ptrdiff_t>(history.size() / 2);
        oldest.assign(std::move_iterator(history.begin()), std::move_iterator(half));
        history.erase(history.begin(), half);
      }
      if (oldest.empty()) break;
      oldest.clear();
      cow::trim();
    }
    ++calls;
  });
  for (std::uint64_t round = 0; round < 40; ++round) {
    const int calls_before = calls;
    support::fill(region.bytes(), round);
    {
      Snapshot taken = region.snapshot();
      const std::lock_guard guard(lock);
      history.push_back(std::move(taken));
    }
    if (cow::process_stats().bytes_in_use >= most) {
      (void)support::eventually([&] { return calls != calls_before; });
    }
  }
  region.limit_family_bytes(0, nullptr);
  CHECK(calls >= 3);
  CHECK(history.size() < 20);
  CHECK(support::shows(history.back().bytes(), 39));
}

TEST_CASE("frames that faults take are noticed also after many were dropped", "[api][handler]") {
  Region region = opened(8);
  store_to_each(region, 4, 1);
  std::atomic<int> calls{0};
  region.limit_family_bytes(1536 * region.page_bytes(), [&](std::size_t) { ++calls; });
  Snapshot past = region.snapshot();
  store_to_each(region, 4, 2);
  CHECK(eventually_is(calls, 1));
  past = {};
  past = region.snapshot();
  store_to_each(region, 4, 3);  // as many frames as before, and no control call after them
  CHECK(eventually_is(calls, 2));
  region.limit_family_bytes(0, nullptr);
}

TEST_CASE("memory that falls and rises before anybody looks passes the limit anew",
          "[api][handler]") {
  Region region = opened(8);
  store_to_each(region, 8, 1);
  std::atomic<int> calls{0};
  region.limit_family_bytes(768 * region.page_bytes(), [&](std::size_t) { ++calls; });
  for (int round = 1; round <= 5; ++round) {
    Snapshot past = region.snapshot();
    store_to_each(region, 8, static_cast<unsigned char>(round));
    (void)region.snapshot();  // a control call
    CHECK(eventually_is(calls, round));
    past = {};
  }
  region.limit_family_bytes(0, nullptr);
}

TEST_CASE("of two limits that are set at once a family has one", "[api]") {
  Region region = filled(2, 1);
  for (std::size_t round = 0; round < support::scaled(500) + 5; ++round) {
    std::atomic<int> ready{0};
    std::vector<std::weak_ptr<int>> kept(2);
    std::vector<std::thread> setters;
    for (std::weak_ptr<int>& each : kept) {
      setters.emplace_back([&region, &ready, &each] {
        auto owned = std::make_shared<int>(1);
        each = owned;
        ++ready;
        while (ready < 2) std::this_thread::yield();
        region.limit_family_bytes(std::size_t{1} << 40, [owned = std::move(owned)](std::size_t) {});
      });
    }
    for (std::thread& setter : setters) setter.join();
    REQUIRE(support::eventually([&] { return kept[0].expired() != kept[1].expired(); }));
    region.limit_family_bytes(0, nullptr);
    REQUIRE(support::eventually([&] { return kept[0].expired() && kept[1].expired(); }));
  }
}

TEST_CASE("what a limit's function owns goes with the family, and stays with its last snapshot",
          "[api]") {
  std::weak_ptr<int> kept;
  const auto limited = [&] {
    const auto owned = std::make_shared<int>(1);
    kept = owned;
    Region region = filled(2, 1);
    region.limit_family_bytes(std::size_t{1} << 40, [owned](std::size_t) {});
    return region;
  };
  (void)limited();
  CHECK(support::eventually([&] { return kept.expired(); }));
  const Snapshot last = limited().snapshot();
  CHECK(!kept.expired());
  Region::from_snapshot(last).limit_family_bytes(0, nullptr);
  CHECK(support::eventually([&] { return kept.expired(); }));
}

TEST_CASE("a limit that is reached already is told at once", "[api]") {
  Region region = filled(50, 1);
  support::settle(region);
  std::atomic<int> calls{0};
  region.limit_family_bytes(region.page_bytes(), [&](std::size_t) { ++calls; });
  CHECK(eventually_is(calls, 1));
  region.limit_family_bytes(0, nullptr);
}

TEST_CASE("no store is refused or waits for the function", "[api]") {
  Region region = filled(300, 1);
  std::atomic<bool> let_go{false};
  std::atomic<int> calls{0};
  region.limit_family_bytes(region.size(), [&](std::size_t) {
    ++calls;
    while (!let_go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  std::vector<Snapshot> kept;
  for (std::uint64_t round = 2; round < 6; ++round) grow_by_a_copy(region, kept, round);
  CHECK(support::shows(region.bytes(), 5));
  CHECK(eventually_is(calls, 1));
  let_go = true;
  region.limit_family_bytes(0, nullptr);
}

TEST_CASE("removing a limit waits for a running call, and not where that call makes it", "[api]") {
  Region region = filled(50, 1);
  support::settle(region);
  std::atomic<int> begun{0};
  std::atomic<bool> has_returned{false};
  region.limit_family_bytes(1, [&](std::size_t) {
    ++begun;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    has_returned = true;
  });
  REQUIRE(eventually_is(begun, 1));
  region.limit_family_bytes(0, nullptr);
  CHECK(has_returned);

  std::atomic<int> removed{0};
  region.limit_family_bytes(1, [&](std::size_t) {
    region.limit_family_bytes(0, nullptr);
    ++removed;
  });
  CHECK(eventually_is(removed, 1));
  std::vector<Snapshot> kept;
  grow_by_a_copy(region, kept, 2);
  CHECK(removed == 1);
}

TEST_CASE("a family whose limit was removed goes with its last region", "[api]") {
  const cow::ProcessStats before = cow::process_stats();
  for (int i = 0; i < 300; ++i) {
    {
      Region region = filled(2, 1);
      std::atomic<int> calls{0};
      region.limit_family_bytes(1, [&](std::size_t) { ++calls; });
      while (calls == 0) std::this_thread::yield();
      region.limit_family_bytes(0, nullptr);  // the thread looks again after a call
    }
    REQUIRE(cow::process_stats().families == before.families);
  }
}

TEST_CASE("a limit goes with its family, and others stay", "[api]") {
  Region other = filled(50, 1);
  std::atomic<int> calls{0};
  other.limit_family_bytes(2 * other.size(), [&](std::size_t) { ++calls; });
  const cow::ProcessStats before = cow::process_stats();
  for (int i = 0; i < 20; ++i) {
    Region region = filled(20, 1);
    region.limit_family_bytes(1000 * region.size(), [](std::size_t) {});
  }
  CHECK(support::eventually([&] { return cow::process_stats().families == before.families; }));
  std::vector<Snapshot> kept;
  for (std::uint64_t round = 2; round < 5; ++round) grow_by_a_copy(other, kept, round);
  CHECK(eventually_is(calls, 1));
  other.limit_family_bytes(0, nullptr);
}

TEST_CASE("a forked child has no limit until it sets its own", "[api]") {
  if (support::is_emulated()) {
    WARN("skipped: the emulator starts no threads in a child");
    return;
  }
  Region region = filled(100, 1);
  std::atomic<int> calls{0};
  region.limit_family_bytes(2 * region.size(), [&](std::size_t) { ++calls; });
  const auto result = support::run_in_child([&]() -> std::string {
    std::vector<Snapshot> kept;
    for (std::uint64_t round = 2; round < 6; ++round) grow_by_a_copy(region, kept, round);
    if (!support::shows(region.bytes(), 5)) return "the child's stores are lost";
    if (calls != 0) return "the parent's function was called in the child";
    std::atomic<int> own_calls{0};
    region.limit_family_bytes(1, [&](std::size_t) { ++own_calls; });
    if (!eventually_is(own_calls, 1)) return "the child's own function was not called";
    region.limit_family_bytes(0, nullptr);
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(calls == 0);
  region.limit_family_bytes(0, nullptr);
}

TEST_CASE("a forked child with its parent's process number is called, too", "[api]") {
  if (support::is_emulated()) {
    WARN("skipped: the emulator starts no threads in a child");
    return;
  }
  const auto is_called = [] {
    Region region = filled(20, 1);
    support::settle(region);
    std::atomic<int> calls{0};
    region.limit_family_bytes(1, [&](std::size_t) { ++calls; });
    const bool once = eventually_is(calls, 1);
    region.limit_family_bytes(0, nullptr);
    return once;
  };
  const auto may_not = [] {
    return ::unshare(CLONE_NEWPID) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0;
  };
  const auto result = support::run_in_child([&]() -> std::string {
    if (may_not()) return "refused";
    const auto first = support::run_in_child([&]() -> std::string {
      if (!is_called()) return "the first process of a namespace was not called";
      if (may_not()) return "refused";
      const auto second = support::run_in_child([&]() -> std::string {
        return is_called() ? "" : "its child, the first of another one, was not called";
      });
      return second.complaint;
    });
    return first.complaint;
  });
  if (result.complaint == "refused") {
    WARN("this process may not make namespaces");
    return;
  }
  CHECK(result.complaint == "");
}

TEST_CASE("the function may store to regions and take snapshots", "[api]") {
  Region region = filled(50, 1);
  support::settle(region);
  Region log = filled(4, 0);
  Snapshot taken;
  std::atomic<int> calls{0};
  region.limit_family_bytes(1, [&](std::size_t) {
    support::fill(log.bytes(), 7);
    taken = region.snapshot();
    ++calls;
  });
  CHECK(eventually_is(calls, 1));
  region.limit_family_bytes(0, nullptr);
  CHECK(support::shows(log.bytes(), 7));
  CHECK(support::shows(taken.bytes(), 1));
}
