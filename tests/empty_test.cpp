// Regions and snapshots that are none yet: what they can do, and what they refuse in words.

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;
using support::filled;

TEST_CASE("an empty region or snapshot takes nothing and says that it is empty", "[api]") {
  const cow::ProcessStats before = cow::process_stats();
  const std::array<Region, 8> regions;
  const std::array<Snapshot, 8> snapshots;
  CHECK_FALSE(regions[0]);
  CHECK_FALSE(snapshots[0]);
  CHECK(cow::process_stats().families == before.families);
  CHECK(cow::process_stats().regions == before.regions);
}

TEST_CASE("a region and a snapshot are empty before they are assigned to and after a move",
          "[api]") {
  Region region;
  Snapshot snapshot;
  region = filled(3, 1);
  snapshot = region.snapshot();
  CHECK(region);
  CHECK(snapshot);
  const Region other = std::move(region);
  const Snapshot later = std::move(snapshot);
  // NOLINTBEGIN(bugprone-use-after-move): what they are then is the subject.
  CHECK_FALSE(region);
  CHECK_FALSE(snapshot);
  // NOLINTEND(bugprone-use-after-move)
  CHECK(support::shows(other.bytes(), 1));
  CHECK(support::shows(later.bytes(), 1));
}

TEST_CASE("to assign an empty one gives back what was there", "[api]") {
  const cow::ProcessStats before = cow::process_stats();
  Region region = filled(3, 1);
  Snapshot snapshot = region.snapshot();
  Snapshot copy = snapshot;
  snapshot = Snapshot();
  CHECK(support::shows(copy.bytes(), 1));
  copy = {};
  region = Region();
  CHECK(cow::process_stats().families == before.families);
  CHECK(cow::process_stats().bytes_in_use == before.bytes_in_use);
}

TEST_CASE("regions and snapshots live in maps, rings and arrays", "[api]") {
  std::map<std::string, Region> by_name;
  by_name["a"] = filled(3, 1);
  by_name["b"] = by_name["a"].clone();
  CHECK(support::shows(by_name["b"].bytes(), 1));
  CHECK_FALSE(by_name["c"]);

  std::array<Snapshot, 4> ring;
  for (std::size_t round = 0; round < 10; ++round) {
    support::fill(by_name["a"].bytes(), round);
    ring[round % ring.size()] = by_name["a"].snapshot();
  }
  for (std::size_t round = 6; round < 10; ++round) {
    CHECK(support::shows(ring[round % ring.size()].bytes(), round));
  }
  std::deque<Snapshot> undo(3);
  undo.back() = ring[0];
  CHECK(undo.back());
  CHECK_FALSE(undo.front());
}

TEST_CASE("whatever else is asked of an empty region or snapshot is refused in a sentence",
          "[api]") {
  Region empty;
  const Region& constant = empty;
  const Snapshot none;
  Region region = filled(3, 1);
  const Snapshot snapshot = region.snapshot();
  const support::Folder folder;
  const std::vector<std::function<void()>> calls{
      [&] { (void)empty.data(); },
      [&] { (void)constant.bytes(); },
      [&] { (void)empty.size(); },
      [&] { (void)empty.page_bytes(); },
      [&] { (void)empty.clone(); },
      [&] { (void)empty.snapshot(); },
      [&] { empty.restore(snapshot); },
      [&] { empty.restore(none); },
      [&] { region.restore(none); },
      [&] { empty.apply({}, snapshot); },
      [&] { region.apply({}, none); },
      [&] { empty.discard(0, 0); },
      [&] { (void)empty.write_lease(0, 0); },
      [&] { (void)empty.stats(); },
      [&] { (void)cow::describe(empty); },
      [&] { (void)none.size(); },
      [&] { (void)none.page_bytes(); },
      [&] { (void)none.bytes(); },
      [&] { none.save(folder / "image"); },
      [&] { none.save_delta(snapshot, folder / "delta"); },
      [&] { snapshot.save_delta(none, folder / "delta"); },
      [&] { (void)cow::diff(none, snapshot); },
      [&] { (void)cow::diff(snapshot, none); },
      [&] { (void)cow::merge(none, snapshot, snapshot); },
      [&] { (void)cow::merge(snapshot, snapshot, none); },
      [&] { (void)Region::from_snapshot(none); },
  };
  for (std::size_t call = 0; call < calls.size(); ++call) {
    CAPTURE(call);
    const std::string words = support::words_of<std::logic_error>(calls[call]);
    CHECK(words.find("empty") != std::string::npos);
    CHECK(support::is_sentence(words));
  }
  CHECK(support::shows(region.bytes(), 1));
}
