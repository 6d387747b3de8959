// Snapshots: they never change, they outlive everything, and a region goes back to them in place.

#include "catch.hpp"
#include "support.hpp"

#include <csignal>
#include <optional>
#include <utility>
#include <vector>

using cow::Region;
using cow::RegionStats;
using cow::Snapshot;
using support::filled;

TEST_CASE("a snapshot never changes, whatever is stored afterwards", "[mm]") {
  Region region = filled(50, 1);
  const Snapshot first = region.snapshot();
  support::fill(region.bytes(), 2);
  const Snapshot second = region.snapshot();
  support::fill(region.bytes(), 3);
  CHECK(support::shows(first.bytes(), 1));
  CHECK(support::shows(second.bytes(), 2));
  CHECK(support::shows(region.bytes(), 3));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a snapshot whose bytes are mapped already does not see a later store", "[mm]") {
  Region region = filled(50, 1);
  const Snapshot snapshot = region.snapshot();
  CHECK(support::shows(snapshot.bytes(), 1));
  support::fill(region.bytes(), 2);
  CHECK(support::shows(snapshot.bytes(), 1));
  CHECK(support::shows(region.bytes(), 2));
}

TEST_CASE("taking a snapshot takes no frame and maps nothing", "[mm][handler]") {
  Region region = filled(600, 1);
  const cow::ProcessStats before = cow::process_stats();
  const Snapshot snapshot = region.snapshot();
  CHECK(cow::process_stats().bytes_in_use == before.bytes_in_use);
  CHECK(cow::process_stats().mappings_in_use == before.mappings_in_use);
  CHECK(cow::process_stats().regions == before.regions);
  CHECK(snapshot.size() == region.size());
  CHECK(snapshot.page_bytes() == region.page_bytes());
}

TEST_CASE("a store after a snapshot copies exactly one page", "[mm][handler]") {
  Region region = filled(50, 1);
  const Snapshot snapshot = region.snapshot();
  const RegionStats before = region.stats();
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  CHECK(before.pages_shared == 50);
  support::store(region, 20, 0xff);
  support::store(region, 20, 0xfe, 9);
  const RegionStats after = region.stats();
  CHECK(after.faults == before.faults + 1);
  CHECK(after.pages_copied == before.pages_copied + 1);
  CHECK(cow::process_stats().bytes_in_use == in_use + support::page_bytes());
  CHECK(support::shows(snapshot.bytes(), 1));
}

TEST_CASE("a store after the snapshot was dropped copies nothing", "[mm][handler]") {
  Region region = filled(50, 1);
  std::optional<Snapshot> snapshot = region.snapshot();
  CHECK(region.stats().pages_private == 0);
  snapshot.reset();
  CHECK(region.stats().pages_private == 50);
  const RegionStats before = region.stats();
  support::store(region, 20, 0xff);
  CHECK(region.stats().pages_copied == before.pages_copied);
  CHECK(region.stats().pages_upgraded == before.pages_upgraded + 1);
}

TEST_CASE("a page stored to between each two snapshots is one frame a snapshot", "[mm][handler]") {
  Region region = filled(50, 1);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  std::vector<Snapshot> history;
  for (unsigned i = 0; i < 30; ++i) {
    history.push_back(region.snapshot());
    support::store(region, 7, i, 3);
  }
  CHECK(cow::process_stats().bytes_in_use == in_use + 30 * support::page_bytes());
  for (unsigned i = 1; i < 30; ++i) CHECK(support::load(history[i].bytes(), 7, 3) == i - 1);
  CHECK(support::shows(history[0].bytes(), 1));

  history.erase(history.begin() + 10, history.begin() + 20);
  CHECK(cow::process_stats().bytes_in_use == in_use + 20 * support::page_bytes());
  history.clear();
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(support::load(region.bytes(), 7, 3) == 29);
}

TEST_CASE("copies of a handle name one snapshot, which goes with the last of them",
          "[mm][handler]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  {
    Region region = filled(10, 1);
    std::optional<Snapshot> first = region.snapshot();
    std::optional<Snapshot> second = first;
    CHECK(first->bytes().data() == second->bytes().data());
    support::fill(region.bytes(), 2);
    first.reset();
    CHECK(support::shows(second->bytes(), 1));
    support::settle(region);
    CHECK(cow::process_stats().bytes_in_use == before + 20 * support::page_bytes());
    const std::size_t mapped = cow::process_stats().mappings_in_use;
    second.reset();
    CHECK(cow::process_stats().bytes_in_use == before + 10 * support::page_bytes());
    CHECK(cow::process_stats().mappings_in_use < mapped);
  }
  CHECK(cow::process_stats().bytes_in_use == before);
}

TEST_CASE("the bytes of a snapshot are mapped when first asked for, once, and counted", "[mm]") {
  Region region = filled(10, 1);
  const Snapshot snapshot = region.snapshot();
  const std::size_t before = cow::process_stats().mappings_in_use;
  const auto bytes = snapshot.bytes();
  CHECK(bytes.size() == region.size());
  const std::size_t after = cow::process_stats().mappings_in_use;
  CHECK(after >= before + support::count_mappings(bytes));
  CHECK(after <= before + support::count_mappings(bytes) + 2);  // and its guard pages
  CHECK(snapshot.bytes().data() == bytes.data());
  CHECK(cow::process_stats().mappings_in_use == after);
  for (const support::Mapping& mapping : support::mappings(bytes.data(), bytes.size())) {
    CHECK(!mapping.writable);
  }
}

TEST_CASE("a snapshot of a region that nobody stored to shows zeros and takes nothing",
          "[mm][handler]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  Region region = Region::create(30 * support::page_bytes() + 1, support::options());
  const Snapshot snapshot = region.snapshot();
  CHECK(snapshot.size() == region.size());
  CHECK(support::all_zero(snapshot.bytes()));
  CHECK(cow::process_stats().bytes_in_use == before);
  support::fill(region.bytes(), 1);
  CHECK(support::all_zero(snapshot.bytes()));
  region.restore(snapshot);
  CHECK(support::all_zero(region.bytes()));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a snapshot outlives its region", "[mm]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  {
    const Snapshot snapshot = [] {
      Region region = filled(30, 1);
      Snapshot taken = region.snapshot();
      support::fill(region.bytes(), 2);
      return taken;
    }();
    CHECK(cow::process_stats().bytes_in_use == before + 30 * support::page_bytes());
    CHECK(support::shows(snapshot.bytes(), 1));
    Region again = Region::from_snapshot(snapshot);
    CHECK(support::shows(again.bytes(), 1));
    support::fill(again.bytes(), 3);
    CHECK(support::shows(snapshot.bytes(), 1));
  }
  CHECK(cow::process_stats().bytes_in_use == before);
}

TEST_CASE("regions made from one snapshot are writable clones of the past, each by itself",
          "[mm]") {
  Region region = filled(30, 1);
  const Snapshot snapshot = region.snapshot();
  support::fill(region.bytes(), 2);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  Region first = Region::from_snapshot(snapshot);
  Region second = Region::from_snapshot(snapshot);
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(first.stats().pages_shared == 30);
  support::store(first, 5, 0xff);
  support::settle(first);
  CHECK(first.stats().pages_copied == 1);
  support::store(second, 5, 0xee);
  support::settle(second);
  CHECK(second.stats().pages_copied == 1);
  CHECK(support::load(first.bytes(), 5) == 0xff);
  CHECK(support::load(second.bytes(), 5) == 0xee);
  CHECK(support::shows(snapshot.bytes(), 1));
  CHECK(support::shows(region.bytes(), 2));
  CHECK(support::broken_invariant(first) == "");
}

TEST_CASE("a snapshot of a clone sees the clone, not its original", "[mm]") {
  Region original = filled(30, 1);
  Region clone = original.clone();
  support::fill(clone.bytes(), 2);
  const Snapshot of_clone = clone.snapshot();
  const Snapshot of_original = original.snapshot();
  support::fill(clone.bytes(), 3);
  support::fill(original.bytes(), 4);
  CHECK(support::shows(of_clone.bytes(), 2));
  CHECK(support::shows(of_original.bytes(), 1));
}

TEST_CASE("restore goes back and forth in time at the same address", "[mm]") {
  Region region = filled(600, 1);
  std::vector<Snapshot> history;
  for (std::uint64_t version = 1; version <= 6; ++version) {
    support::fill(region.bytes().subspan(version * 17, 90 * support::page_bytes()), version);
    history.push_back(region.snapshot());
  }
  std::vector<std::vector<std::byte>> plain;
  for (const Snapshot& snapshot : history) plain.push_back(support::plain_copy(snapshot.bytes()));

  const std::byte* const address = region.data();
  for (const std::size_t version : {5u, 0u, 5u, 3u, 3u, 4u, 0u, 1u, 2u, 5u}) {
    CAPTURE(version);
    region.restore(history[version]);
    CHECK(region.data() == address);
    REQUIRE(support::difference(plain[version], region.bytes()) == "");
    support::store(region, version, 0xff, 11);  // a store in between is forgotten by the next
    CHECK(support::broken_invariant(region) == "");
  }
  for (std::size_t i = 0; i < history.size(); ++i) {
    CHECK(support::difference(plain[i], history[i].bytes()) == "");
  }
}

TEST_CASE("a region that is restored after every round of stores shows the past each time",
          "[mm]") {
  Region region = filled(64, 1);
  const Snapshot start = region.snapshot();
  for (unsigned round = 0; round < 200; ++round) {
    for (const std::size_t page : {0u, 9u, 10u, 11u, 63u}) support::store(region, page, round, 5);
    if (round % 7 == 0) support::store(region, round % 64, round, 2);
    region.restore(start);
    REQUIRE(support::shows(region.bytes(), 1));
  }
  CHECK(support::broken_invariant(region) == "");
  CHECK(support::shows(start.bytes(), 1));
}

TEST_CASE("a page restored to the past does not take a later store with it", "[mm]") {
  Region region = filled(20, 1);
  const Snapshot start = region.snapshot();
  for (unsigned round = 1; round <= 5; ++round) {
    support::fill(region.bytes(), 10 + round);
    region.restore(start);
    const Snapshot between = region.snapshot();
    support::fill(region.bytes(), 20 + round);
    REQUIRE(support::shows(between.bytes(), 1));
    REQUIRE(support::shows(start.bytes(), 1));
    region.restore(between);
    REQUIRE(support::shows(region.bytes(), 1));
  }
}

TEST_CASE("a region can be restored to a snapshot of any member of its family", "[mm]") {
  Region original = filled(40, 1);
  Region clone = original.clone();
  support::fill(clone.bytes(), 2);
  Region grandchild = clone.clone(cow::CloneMode::eager);
  support::fill(grandchild.bytes(), 3);
  const Snapshot of_grandchild = grandchild.snapshot();
  original.restore(of_grandchild);
  CHECK(support::shows(original.bytes(), 3));
  support::fill(original.bytes(), 4);
  CHECK(support::shows(grandchild.bytes(), 3));
  CHECK(support::shows(clone.bytes(), 2));
  clone.restore(of_grandchild);
  CHECK(support::shows(clone.bytes(), 3));
  CHECK(support::broken_invariant(original) == "");
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("a region restored to a snapshot that then goes owns its frames alone", "[mm]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  {
    Region region = filled(40, 1);
    std::optional<Snapshot> snapshot = region.snapshot();
    support::fill(region.bytes(), 2);
    region.restore(*snapshot);
    snapshot.reset();
    CHECK(support::shows(region.bytes(), 1));
    CHECK(region.stats().pages_private == 40);
    CHECK(cow::process_stats().bytes_in_use == before + 40 * support::page_bytes());
    support::fill(region.bytes(), 3);
    CHECK(support::shows(region.bytes(), 3));
  }
  CHECK(cow::process_stats().bytes_in_use == before);
}

TEST_CASE("restoring to what the region shows already changes nothing", "[mm]") {
  Region region = filled(40, 1);
  const Snapshot snapshot = region.snapshot();
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  region.restore(snapshot);
  region.restore(snapshot);
  CHECK(support::shows(region.bytes(), 1));
  CHECK(cow::process_stats().bytes_in_use == in_use);
  CHECK(region.stats().pages_shared == 40);
}

TEST_CASE("storing to the bytes of a snapshot kills the process", "[mm]") {
  Region region = filled(4, 1);
  const Snapshot snapshot = region.snapshot();
  const auto result = support::run_in_child([&] {
    support::die_silently_of_faults();
    auto* forbidden = const_cast<std::byte*>(snapshot.bytes().data());
    *static_cast<volatile std::byte*>(forbidden + support::page_bytes()) = std::byte{1};
    return "the store went through";
  });
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGSEGV));
  CHECK(support::shows(snapshot.bytes(), 1));
  CHECK(support::shows(region.bytes(), 1));
}
