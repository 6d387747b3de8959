// What a snapshot says that dropping it would give back, and what that gives back.

#include <array>
#include <string>
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

/// Drops the last handle of a snapshot; how many pages that gave back. Fails if the snapshot did
/// not say so.
std::size_t drop(Snapshot& snapshot) {
  const std::size_t predicted = snapshot.reclaimable_bytes();
  const std::size_t before = cow::process_stats().bytes_in_use;
  snapshot = {};
  const std::size_t given_back = before - cow::process_stats().bytes_in_use;
  CHECK(given_back == predicted);
  return given_back / support::page_bytes();
}

}  // namespace

TEST_CASE("a snapshot that shares all with its region gives nothing back", "[mm]") {
  const Region region = filled(700, 1);
  Snapshot snapshot = region.snapshot();
  CHECK(drop(snapshot) == 0);
}

TEST_CASE("a snapshot gives back what was stored to since", "[mm]") {
  Region region = filled(700, 1);
  Snapshot snapshot = region.snapshot();
  for (const std::size_t page : {3u, 4u, 100u, 600u}) support::flip(region, page);
  support::settle(region);
  CHECK(drop(snapshot) == 4);
}

TEST_CASE("of snapshots that share, the last one gives back what they shared", "[mm]") {
  Region region = filled(700, 1);
  Snapshot first = region.snapshot();
  Snapshot second = region.snapshot();
  for (const std::size_t page : {3u, 600u}) support::flip(region, page);
  support::settle(region);
  CHECK(first.reclaimable_bytes() == 0);
  CHECK(second.reclaimable_bytes() == 0);
  CHECK(drop(first) == 0);
  CHECK(drop(second) == 2);
}

TEST_CASE("a chain of snapshots gives back what each has alone", "[mm]") {
  Region region = filled(64, 1);
  std::vector<Snapshot> chain;
  for (std::size_t step = 0; step < 12; ++step) {
    chain.push_back(region.snapshot());
    for (std::size_t page = 0; page <= step; ++page) support::flip(region, 5 * page);
  }
  support::settle(region);
  while (!chain.empty()) {
    const std::size_t place = chain.size() / 2;
    (void)drop(chain[place]);
    chain.erase(chain.begin() + static_cast<std::ptrdiff_t>(place));
  }
}

TEST_CASE("what was read of a snapshot changes nothing of what it gives back", "[mm]") {
  Region region = filled(700, 1);
  Snapshot snapshot = region.snapshot();
  CHECK(support::shows(snapshot.bytes(), 1));
  support::fill(region.bytes().first(10 * region.page_bytes()), 2);
  support::settle(region);
  CHECK(drop(snapshot) == 10);
}

TEST_CASE("what a clone or a region of the past shows is not given back", "[mm]") {
  Region region = filled(64, 1);
  Snapshot snapshot = region.snapshot();
  Region past = Region::from_snapshot(snapshot);
  const Region clone = region.clone();
  support::fill(region.bytes(), 2);
  support::settle(region);
  CHECK(snapshot.reclaimable_bytes() == 0);
  for (const std::size_t page : {0u, 1u, 2u}) support::flip(past, page);
  support::settle(past);
  CHECK(drop(snapshot) == 0);  // the clone has them all
}

TEST_CASE("a snapshot of a region that is gone gives back everything", "[mm]") {
  const cow::ProcessStats before = cow::process_stats();
  Snapshot snapshot;
  {
    const Region region = filled(700, 1);
    snapshot = region.snapshot();
  }
  CHECK(drop(snapshot) == 700);
  CHECK(cow::process_stats().bytes_in_use == before.bytes_in_use);
}

TEST_CASE("pages that are loaded from, stored to in part or discarded are counted as they lie",
          "[mm]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(1100 * page, support::options());
  support::store(region, 0, 1);  // opens the leaf: the other pages are holes
  support::store(region, 600, 1, page - 1);
  (void)support::load(region.bytes(), 5);
  Snapshot snapshot = region.snapshot();
  (void)support::load(snapshot.bytes(), 7);
  region.discard(0, region.size());
  support::settle(region);
  const std::size_t predicted = snapshot.reclaimable_bytes();
  CHECK(predicted > 0);
  CHECK(predicted <= 4 * page);
  (void)drop(snapshot);
}

TEST_CASE("pages that were leased count whole, whether or not anybody has stored to them", "[mm]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(1100 * page, support::options());
  support::store(region, 5, 1);
  {
    const cow::WriteLease lease = region.write_lease(2 * page, 600 * page);
    support::store(region, 7, 1);
  }
  Snapshot snapshot = region.snapshot();
  region.discard(0, region.size());
  support::settle(region);
  CHECK(drop(snapshot) >= (support::kernel_copies() ? 2 : 600));
}

TEST_CASE("what a lease took is given back and taken anew like any other memory", "[mm]") {
  const std::size_t page = support::page_bytes();
  Region region = Region::create(64 * page, support::options());
  for (int round = 0; round < 5; ++round) {
    { const cow::WriteLease lease = region.write_lease(0, 20 * page); }
    Snapshot leased = region.snapshot();
    region.discard(0, region.size());
    support::store(region, 3, 2);
    Snapshot stored = region.snapshot();
    region.discard(0, region.size());
    (void)drop(leased);
    (void)drop(stored);
  }
}

TEST_CASE("a loop whose hot pages snapshots copy at once predicts each drop", "[mm]") {
  Region region = filled(64, 1);
  std::array<Snapshot, 3> ring;
  for (std::size_t round = 0; round < support::scaled(300); ++round) {
    for (std::size_t page = 0; page < 6; ++page) support::flip(region, 7 * page);
    if (round % 5 == 0) support::flip(region, round % 64);
    Snapshot& place = ring[round % ring.size()];
    if (place) (void)drop(place);
    place = region.snapshot(round % 2 == 0 ? cow::SnapshotMode::quiescent
                                           : cow::SnapshotMode::concurrent);
  }
}

TEST_CASE("a rollback loop's snapshot says what it gives back", "[mm]") {
  Region region = filled(64, 1);
  Snapshot snapshot = region.snapshot();
  for (std::size_t round = 0; round < 40; ++round) {
    for (std::size_t page = 0; page < 6; ++page) support::flip(region, (7 * page + round) % 64);
    region.restore(snapshot);
  }
  support::flip(region, 3);
  support::settle(region);
  (void)drop(snapshot);
}

TEST_CASE("pages of an opened file count nothing", "[mm]") {
  const support::Folder folder;
  const std::size_t page = support::page_bytes();
  std::vector<std::byte> content(600 * page + 5);
  support::fill(content, 1);
  support::write_file(folder / "file", content);
  Region region = Region::open(folder / "file", support::single_page_options());
  support::flip(region, 9);
  Snapshot snapshot = region.snapshot();
  for (std::size_t at = 0; at < 20; ++at) support::flip(region, at);
  support::settle(region);
  CHECK(drop(snapshot) == 1);
}

TEST_CASE("memory that is reserved stays, but for the last of its family", "[mm][handler]") {
  cow::RegionOptions options = support::single_page_options();
  options.reserve_frames = true;
  Region region = Region::create(40 * support::page_bytes(), options);
  support::fill(region.bytes(), 1);
  Snapshot first = region.snapshot();
  Snapshot second = region.snapshot();
  support::fill(region.bytes(), 2);
  (void)first.bytes();
  CHECK(drop(first) == 0);
  region = {};
  CHECK(drop(second) >= 40);
}

TEST_CASE("what a child process may still show is not given back", "[mm]") {
  Region region = filled(64, 1);
  Snapshot snapshot = region.snapshot();
  support::fill(region.bytes(), 2);
  support::settle(region);
  CHECK(snapshot.reclaimable_bytes() == 64 * region.page_bytes());
  support::ForkedChild child([&](support::Peer& parent) -> std::string {
    if (snapshot.reclaimable_bytes() != 0) return "frames of the parent's file were counted";
    Region past = Region::from_snapshot(snapshot);
    support::flip(past, 3);
    Snapshot own = past.snapshot();
    support::flip(past, 3);
    support::settle(past);
    const std::size_t predicted = own.reclaimable_bytes();
    const std::size_t before = cow::process_stats().bytes_in_use;
    own = {};
    if (before - cow::process_stats().bytes_in_use != predicted) return "the child predicts wrong";
    return parent.say() && parent.hear() ? "" : "the parent is gone";
  });
  REQUIRE(child.peer().hear());
  CHECK(snapshot.reclaimable_bytes() == 0);
  child.peer().say();
  CHECK(child.wait().complaint == "");
  cow::trim();
  CHECK(drop(snapshot) == 64);
}
