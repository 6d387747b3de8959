// Recycled frames: what is freed is kept for the next copy, within bounds, and nobody sees what it
// held.

#include <algorithm>
#include <cow/cow.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "memory_limit.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

constexpr std::size_t pages = 64;

Region written_region(unsigned value) {
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), value);
  return region;
}

void store_everywhere(Region& region, unsigned value) {
  for (std::size_t i = 0; i < pages; ++i) support::store(region, i * 37 % pages, value);
}

std::size_t pages_recycled() { return cow::process_stats().bytes_recycled / support::page_bytes(); }

/// Pages of memory that all frame files take, whatever for.
std::size_t pages_taken() {
  const cow::ProcessStats stats = cow::process_stats();
  return (stats.bytes_in_use + stats.bytes_recycled) / support::page_bytes();
}

/// Leaves `pages` recycled frames of a home behind, which held `value`.
void drop_a_written_clone(const Region& region, unsigned value) {
  Region clone = region.clone();
  support::fill(clone.bytes(), value);
}

}  // namespace

TEST_CASE("a copy for a snapshot goes to a recycled frame and takes no memory", "[mm][handler]") {
  Region region = written_region(1);
  std::optional<Snapshot> snapshot = region.snapshot();
  store_everywhere(region, 2);
  CHECK(pages_taken() == 2 * pages);
  snapshot.reset();
  CHECK(pages_recycled() == pages);
  CHECK(cow::process_stats().bytes_in_use == pages * support::page_bytes());
  for (unsigned round = 3; round < 9; ++round) {
    snapshot = region.snapshot();
    store_everywhere(region, round);
    CHECK(pages_recycled() == 0);
    CHECK(support::load(snapshot->bytes(), 5) == round - 1);
    snapshot.reset();
    CHECK(pages_taken() == 2 * pages);
    CHECK(support::broken_invariant(region) == "");
  }
}

TEST_CASE("the copies of a clone go to the frames of the clone before it and take no memory",
          "[mm][handler]") {
  const auto mode = GENERATE(cow::CloneMode::lazy, cow::CloneMode::eager);
  Region region = written_region(1);
  drop_a_written_clone(region, 2);
  for (unsigned round = 3; round < 9; ++round) {
    CHECK(pages_recycled() == pages);
    Region clone = region.clone(mode);
    store_everywhere(clone, round);
    CHECK(pages_recycled() == 0);
    CHECK(pages_taken() == 2 * pages);
    CHECK(support::load(region.bytes(), 5) == support::load(Region(region.clone()).bytes(), 5));
    CHECK(support::broken_invariant(clone) == "");
  }
}

TEST_CASE("a zero page never shows what a recycled frame held", "[mm]") {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes().first(support::page_bytes()), 1);
  const Snapshot nearly_zero = region.snapshot();
  support::fill(region.bytes(), 2);
  drop_a_written_clone(region, 3);
  if (!support::kernel_copies()) REQUIRE(pages_recycled() > 0);
  region.restore(nearly_zero);
  Region clone = region.clone();  // its home is full of recycled frames
  support::store(clone, 9, 7);    // opens a window of zero pages over them
  CHECK(support::load(clone.bytes(), 9) == 7);
  const std::size_t at = 9 * support::page_bytes();
  CHECK(
      support::all_zero(clone.bytes().subspan(support::page_bytes(), at - support::page_bytes())));
  CHECK(support::all_zero(clone.bytes().subspan(at + 1)));
  CHECK(support::broken_invariant(clone) == "");
  (void)clone.snapshot();  // looks for the holes among what the window opened
  CHECK(support::all_zero(clone.bytes().subspan(at + 1)));
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("a zero page that finds its homes full shows zeros in a recycled packed frame, too",
          "[mm]") {
  Region region = Region::create(2 * support::page_bytes(), support::single_page_options());
  const Snapshot zeros = region.snapshot();
  std::vector<Region> clones;
  for (unsigned i = 0; i < 260; ++i) {  // each keeps the frame of page 0 in one more home
    support::store(region, 0, 1 + i % 200);
    clones.push_back(region.clone());
    region.restore(zeros);
    support::fill(region.bytes().last(support::page_bytes()), 5);
    {
      const Snapshot kept = region.snapshot();
      support::fill(region.bytes().last(support::page_bytes()), 6);  // `kept` gets a packed frame
    }
    region.restore(zeros);
    support::store(region, 0, 1);
    REQUIRE(support::all_zero(region.bytes().subspan(1)));
    region.restore(zeros);
    REQUIRE(support::broken_invariant(region) == "");
  }
  for (unsigned i = 0; i < 260; ++i) CHECK(support::load(clones[i].bytes(), 0) == 1 + i % 200);
}

TEST_CASE("not more frames are recycled than are in use", "[mm][handler]") {
  Region region = written_region(1);
  std::vector<Region> clones;
  for (unsigned i = 0; i < 5; ++i) {
    clones.push_back(region.clone());
    store_everywhere(clones.back(), i + 2);
  }
  CHECK(pages_taken() == 6 * pages);
  clones.clear();
  CHECK(pages_recycled() == pages);
  CHECK(pages_taken() == 2 * pages);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a snapshot that goes takes recycled frames beyond the bound with it", "[mm][handler]") {
  std::optional<Region> region = written_region(1);
  Snapshot small = region->snapshot();
  store_everywhere(*region, 2);
  Snapshot large = region->snapshot();
  drop_a_written_clone(*region, 3);
  CHECK(pages_recycled() == pages);
  region.reset();
  small = large;
  CHECK(pages_recycled() <= cow::process_stats().bytes_in_use / support::page_bytes());
}

TEST_CASE("recycled frames that no control call needed for a while go back by themselves",
          "[mm][handler]") {
  Region region = written_region(1);
  drop_a_written_clone(region, 2);
  CHECK(pages_recycled() == pages);
  unsigned calls = 0;
  while (pages_recycled() > 0 && calls < 200) {
    (void)region.snapshot();
    ++calls;
  }
  CHECK(calls < 200);
  CHECK(calls > 20);
  CHECK(pages_taken() == pages);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("trim() gives back every recycled frame and nothing else", "[mm]") {
  Region region = written_region(1);
  std::optional<Snapshot> snapshot = region.snapshot();
  store_everywhere(region, 2);
  drop_a_written_clone(region, 3);
  snapshot.reset();
  const cow::ProcessStats before = cow::process_stats();
  REQUIRE(before.bytes_recycled > 0);
  CHECK(cow::trim() == before.bytes_recycled);
  const cow::ProcessStats after = cow::process_stats();
  CHECK(after.bytes_recycled == 0);
  CHECK(after.frames_recycled == 0);
  CHECK(after.bytes_in_use == before.bytes_in_use);
  CHECK(cow::trim() == 0);
  CHECK(support::load(region.bytes(), 5) == 2);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("recycled frames go with the last member of their family", "[mm][handler]") {
  {
    Region region = written_region(1);
    drop_a_written_clone(region, 2);
    CHECK(pages_recycled() == pages);
  }
  CHECK(pages_taken() == 0);
}

TEST_CASE("with frames reserved nothing is recycled", "[mm]") {
  cow::RegionOptions options = support::options();
  options.reserve_frames = true;
  Region region = Region::create(pages * support::page_bytes(), options);
  support::fill(region.bytes(), 1);
  drop_a_written_clone(region, 2);
  { const Snapshot snapshot = region.snapshot(), other = region.snapshot(); }
  CHECK(pages_recycled() == 0);
}

TEST_CASE("a child has no recycled frames of its parent, and its own are its own",
          "[mm][handler]") {
  Region region = written_region(1);
  drop_a_written_clone(region, 2);
  const auto result = support::run_in_child([&]() -> std::string {
    if (pages_recycled() != 0 || cow::trim() != 0) return "the parent's frames are recycled";
    store_everywhere(region, 3);
    drop_a_written_clone(region, 4);
    if (pages_recycled() == 0) return "nothing is recycled";
    cow::trim();
    if (support::load(region.bytes(), 5) != 3) return "a store is lost";
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(pages_recycled() == pages);
  drop_a_written_clone(region, 5);
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("a store for which there is no memory takes that of recycled frames", "[mm][handler]") {
  constexpr std::size_t mebibyte = std::size_t{1} << 20;
  // Between four and five times the region, and far from both: the process needs some, too.
  constexpr std::size_t bytes = 48 * mebibyte;
  const support::MemoryLimit limit(bytes * 9 / 2);
  if (!limit.ready()) {
    WARN("skipped: no memory control group can be made here");
    return;
  }
  const auto result = support::run_in_child([&]() -> std::string {
    if (!limit.enter()) return "";
    support::die_silently_of_faults();
    Region region = Region::create(bytes, support::single_page_options());
    const auto store_to_all = [](Region& to, unsigned value) {
      for (std::size_t at = 0; at < to.size(); at += support::page_bytes()) {
        to.bytes()[at] = std::byte(value);
      }
    };
    store_to_all(region, 1);
    {
      Region clone = region.clone();
      store_to_all(clone, 2);
    }
    if (cow::process_stats().bytes_recycled < bytes - mebibyte) return "too little is recycled";
    std::vector<Snapshot> snapshots;  // each needs as much: the third only finds it recycled
    for (unsigned i = 0; i < 3; ++i) {
      snapshots.push_back(region.snapshot());
      store_to_all(region, 3 + i);
    }
    if (cow::process_stats().bytes_recycled >= bytes - mebibyte) return "nothing was given back";
    if (cow::process_stats().bytes_in_use != 4 * region.size()) return "frames are missing";
    if (support::load(snapshots[2].bytes(), 9) != 4) return "a snapshot changed";
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

// The kernel counts a frame that was allocated but never touched as a hole.
TEST_CASE("a frame that was allocated for a lease and never touched is given back",
          "[mm][handler]") {
  Region region = Region::create(100 * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes().first(50 * support::page_bytes()), 1);
  const Snapshot before = region.snapshot();
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  { const auto lease = region.write_lease(60 * support::page_bytes(), support::page_bytes()); }
  region.restore(before);
  CHECK(support::broken_invariant(region) == "");
  CHECK(cow::process_stats().bytes_in_use == in_use);
}

TEST_CASE("trim() gives back all recycled frames at once, wherever they are", "[mm]") {
  const std::size_t many =
      std::min<std::size_t>(16 * 1024, (std::size_t{256} << 20) / support::page_bytes());
  Region region = Region::create(many * support::page_bytes(), support::options());
  for (std::size_t page = 0; page < many; ++page) support::store(region, page, 1);
  for (const std::size_t left : {std::size_t{0}, std::size_t{10}}) {
    Region clone = region.clone();
    for (std::size_t page = 0; page < many - left; ++page) support::store(clone, page, 2);
    if (left == 0) continue;
    cow::trim();
    CHECK(cow::process_stats().bytes_recycled == 0);
  }
}
