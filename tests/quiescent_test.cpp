// Snapshots of a region whose writers keep still: pages that are stored to between any two of them
// are copied at once and stay writable.

#include <cerrno>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::RegionStats;
using cow::Snapshot;
using cow::SnapshotMode;

Region filled(std::size_t pages) {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), 1);
  return region;
}

void store_to(Region& region, const std::vector<std::size_t>& pages, unsigned value) {
  for (const std::size_t page : pages) support::store(region, page, value % 256, page % 64);
}

/// Rounds of a snapshot that replaces the one before, and stores to the same pages.
Snapshot rounds(unsigned count, Region& region, const std::vector<std::size_t>& pages) {
  Snapshot last = region.snapshot(SnapshotMode::quiescent);
  for (unsigned i = 0; i < count; ++i) {
    store_to(region, pages, i);
    last = region.snapshot(SnapshotMode::quiescent);
  }
  return last;
}

// Larger ones are too dear to be copied in round after round: see docs/windows.md.
bool are_pages_small() { return support::copies_of_a_page() <= 1; }

const std::vector<std::size_t> hot_pages = {0, 5, 6, 7, 511, 512, 1000, 1099};

}  // namespace

TEST_CASE("pages stored to between any two quiescent snapshots fault once in fifteen rounds",
          "[mm][handler]") {
  if (!are_pages_small()) return;
  Region region = filled(1100);
  Snapshot last = rounds(4, region, hot_pages);
  const RegionStats before = region.stats();
  last = rounds(300, region, hot_pages);
  const RegionStats after = region.stats();
  CHECK(after.faults - before.faults <= (300 / 15 + 1) * hot_pages.size());
  CHECK(after.faults > before.faults);  // else nobody would learn when they come to rest
  CHECK(after.mappings <= 1 + 2 * hot_pages.size());
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("hot pages that lie apart are copied by one call for each leaf", "[mm][handler]") {
  if (!are_pages_small()) return;
  if (!support::has_call_filters()) {
    WARN("skipped: seccomp is not available here");
    return;
  }
  const auto result = support::run_in_child([]() -> std::string {
    Region region = filled(2000);
    support::Random random(support::seed());
    for (unsigned i = 0; i < 3; ++i) {
      const Snapshot kept = region.snapshot(SnapshotMode::quiescent);
      // The first time every store faults: the frames of the copies are taken in this order.
      for (const std::size_t n : random.permutation(600)) support::store(region, 3 * n, i);
    }
    const std::vector<std::byte> expected = support::plain_copy(region.bytes());
    const RegionStats before = region.stats();
    support::CallFilter filter;
    filter.allow(SYS_pwritev, {support::is_above(2, 87)});  // the last of four leaves has 88
    filter.refuse(SYS_pwritev, {}, ENOSPC).refuse(SYS_pwrite64, {}, ENOSPC);
    if (!filter.install_allowing()) return "the filter was refused";
    const Snapshot copied = region.snapshot(SnapshotMode::quiescent);
    for (std::size_t n = 0; n < 600; ++n) support::store(region, 3 * n, 77);
    if (region.stats().faults != before.faults) return "the pages were not hot";
    const std::string difference = support::difference(expected, copied.bytes());
    return difference.empty() ? support::broken_invariant(region) : difference;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("every quiescent snapshot keeps its moment", "[mm]") {
  Region region = filled(1100);
  std::deque<std::pair<Snapshot, std::vector<std::byte>>> history;
  support::Random random(support::seed());
  for (unsigned i = 0; i < 100; ++i) {
    store_to(region, hot_pages, i);
    if (i % 3 == 0) support::store(region, random.below(1100), i);
    history.emplace_back(region.snapshot(SnapshotMode::quiescent),
                         support::plain_copy(region.bytes()));
    if (history.size() > 5) history.erase(history.begin() + (i % 2 == 0 ? 0 : 3));
    for (const auto& [snapshot, bytes] : history) {
      if (i % 10 == 9) REQUIRE(support::difference(bytes, snapshot.bytes()) == "");
    }
    REQUIRE(support::broken_invariant(region) == "");
  }
}

TEST_CASE("between two quiescent snapshots diff names the pages whose bytes changed", "[mm]") {
  Region region = filled(1100);
  Snapshot last = rounds(6, region, hot_pages);
  store_to(region, {5, 511}, 99);
  const Snapshot now = region.snapshot(SnapshotMode::quiescent);
  CHECK(cow::diff(last, now) == std::vector<cow::PageRange>{{5, 1}, {511, 1}});
  CHECK(cow::diff(now, region.snapshot(SnapshotMode::quiescent)).empty());
}

TEST_CASE("a page that comes to rest is copied no more and is shared", "[mm][handler]") {
  if (!are_pages_small()) return;
  Region region = filled(1100);
  Snapshot last = rounds(6, region, hot_pages);
  CHECK(region.stats().pages_writable == hot_pages.size());
  last = rounds(100, region, {});
  const RegionStats stats = region.stats();
  CHECK(stats.pages_writable == 0);
  CHECK(stats.pages_shared == 1100);
  CHECK(stats.mappings == 1);  // and the region is one piece
  CHECK(cow::diff(last, region.snapshot()).empty());
}

TEST_CASE("clones, snapshots of running writers and restores take hot pages as they are", "[mm]") {
  Region region = filled(1100);
  Snapshot last = rounds(6, region, hot_pages);
  store_to(region, hot_pages, 77);
  const std::vector<std::byte> bytes = support::plain_copy(region.bytes());
  const Snapshot running = region.snapshot();
  const Region clone = region.clone();
  store_to(region, hot_pages, 78);
  const Snapshot still = region.snapshot(SnapshotMode::quiescent);
  const std::vector<std::byte> later = support::plain_copy(region.bytes());
  store_to(region, hot_pages, 79);
  CHECK(support::difference(bytes, running.bytes()) == "");
  CHECK(support::difference(bytes, clone.bytes()) == "");
  CHECK(support::difference(later, still.bytes()) == "");
  region.restore(running);
  CHECK(support::difference(bytes, region.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("leased pages and hot pages of one region do not get in each other's way", "[mm]") {
  Region region = filled(1100);
  Snapshot last = rounds(6, region, hot_pages);
  {
    const cow::WriteLease lease =
        region.write_lease(6 * support::page_bytes(), 3 * support::page_bytes());
    for (unsigned i = 0; i < 70; ++i) {
      store_to(region, {5, 6, 7, 8, 9}, i);
      last = region.snapshot(SnapshotMode::quiescent);
      const std::vector<std::byte> bytes = support::plain_copy(region.bytes());
      store_to(region, {5, 6, 7, 8, 9}, i + 100);
      if (i % 10 == 0) REQUIRE(support::difference(bytes, last.bytes()) == "");
      REQUIRE(support::broken_invariant(region) == "");
    }
    CHECK(region.stats().pages_leased == 3);
  }
  last = rounds(100, region, {});
  CHECK(region.stats().pages_writable == 0);
}
