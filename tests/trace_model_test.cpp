// A trace says exactly what happened: random operations on a forest of regions and snapshots, and a
// replay of the trace held against the library's own page tables, on the way and at the end.

#include <cow/cow.hpp>
#include <string>

#include "catch.hpp"
#include "eaten_mappings.hpp"
#include "folder.hpp"
#include "forest.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "support.hpp"
#include "trace_replay.hpp"

using support::Forest;
using support::TraceReplay;

namespace {

constexpr std::size_t events_of_a_round = 1u << 18;

/// Empty if the replay of the trace so far shows what the page tables do.
std::string replayed(const cow::Trace& trace, TraceReplay& replay,
                     TraceReplay::Unmade unmade = TraceReplay::Unmade::wrong) {
  if (trace.lost() > 0) return "the trace is full";
  std::string complaint = replay.advance();
  if (complaint.empty()) complaint = replay.difference_from_tables(unmade);
  if (complaint.empty() && replay.unfinished() > 0) complaint = "an event is not complete";
  return complaint.empty() ? "" : "replay: " + complaint;
}

}  // namespace

TEST_CASE("a replay of the trace of random operations shows what the page tables show", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const support::Folder folder;
  for (std::size_t round = 0; round < 8; ++round) {
    Forest forest(seed + round, round % 4 == 3 ? 700 : 24);
    // Some regions and snapshots are there before the trace.
    std::string complaint;
    const std::size_t before = round % 2 == 0 ? 0 : 40;
    for (std::size_t step = 0; step < before && complaint.empty(); ++step)
      complaint = forest.step();
    const cow::Trace trace(folder / "run.cowtrace", {.capacity_events = events_of_a_round});
    TraceReplay replay(folder / "run.cowtrace");
    const auto has_faults = [&] {
      return support::kernel_copies() || replay.count(support::EventKind::fault) > 0;
    };
    for (std::size_t step = 0; step < support::scaled(1500) || (step < 1500 && !has_faults());
         ++step) {
      complaint = forest.step();
      if (complaint.empty() && step % 5 == 0) complaint = replayed(trace, replay);
      const std::string operation = forest.last_operation();
      CAPTURE(round, step, operation);
      REQUIRE(complaint == "");
    }
    REQUIRE(forest.fell() == "");
    REQUIRE(replayed(trace, replay) == "");
    REQUIRE(replay.spaces().empty());
    CHECK(has_faults());
  }
}

// Where mappings run out regions are brought together, clones are made of copies, and faults take
// pages of other leaves.
TEST_CASE("a replay of the trace shows what the page tables show when mappings run out", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const support::Folder folder;
  for (const std::size_t left : {0u, 300u, 2000u}) {
    CAPTURE(left);
    constexpr auto left_over = TraceReplay::Unmade::left_over;
    const auto result = support::run_in_child([&]() -> std::string {
      Forest forest(seed + left, 1000);
      forest.look_at_mappings_every(50);
      (void)forest.step();
      const cow::Trace trace(folder / "run.cowtrace", {.capacity_events = events_of_a_round});
      TraceReplay replay(folder / "run.cowtrace");
      const support::EatenMappings eaten(std::min<std::size_t>(2048, support::max_map_count() / 8) +
                                         left);
      cow::mapping_budget::measure();
      for (std::size_t step = 0; step < support::scaled(600); ++step) {
        std::string complaint = forest.step();
        if (complaint.empty() && step % 5 == 0) complaint = replayed(trace, replay, left_over);
        if (!complaint.empty()) {
          return "step " + std::to_string(step) + ", " + forest.last_operation() + ": " + complaint;
        }
      }
      const std::string complaint = forest.fell();
      return complaint.empty() ? replayed(trace, replay, left_over) : complaint;
    });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}

TEST_CASE("a view that is made of copies, where mappings are short, is in no event", "[mm]") {
  const support::Folder folder;
  constexpr std::size_t pages = 4000;
  const auto result = support::run_in_child([&]() -> std::string {
    cow::Region region = cow::Region::create(pages * support::page_bytes(), support::options());
    for (std::size_t i = 0; i < pages; ++i) support::store(region, i, 1);
    const cow::Snapshot before = region.snapshot();
    for (std::size_t i = 0; i < pages; i += 2) support::store(region, i, 2);
    const cow::Trace trace(folder / "run.cowtrace", {.capacity_events = events_of_a_round});
    TraceReplay replay(folder / "run.cowtrace");
    const cow::Snapshot snapshot = region.snapshot();
    const support::EatenMappings eaten(400);  // fewer than the runs of the snapshot
    cow::mapping_budget::measure();
    if (cow::mapping_budget::spendable() >= pages) return "mappings are not short";
    const auto bytes = snapshot.bytes();
    if (support::count_mappings(bytes) > pages / 4) return "the view is not made of copies";
    for (std::size_t i = 0; i < pages; ++i) {
      if (support::load(bytes, i) != 2 - i % 2) return "page " + std::to_string(i) + " is wrong";
    }
    support::store(region, 1, 3);
    return replayed(trace, replay);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a replay of the trace shows what merges, images, files and rollback loops leave",
          "[mm]") {
  const support::Folder folder;
  const std::size_t page = support::page_bytes();
  std::vector<std::byte> contents(20 * page + 100);
  support::fill(contents, 1);
  support::write_file(folder / "file", contents);
  const cow::Trace trace(folder / "run.cowtrace");
  TraceReplay replay(folder / "run.cowtrace");

  cow::Region a = cow::Region::create(700 * page, support::options());
  for (std::size_t i = 0; i < 600; ++i) support::store(a, i, 1);
  const cow::Snapshot base = a.snapshot();
  cow::Region b = a.clone();
  support::store(a, 3, 7);
  support::store(b, 4, 8);
  support::store(b, 650, 8);
  CHECK(replayed(trace, replay) == "");
  const cow::MergeResult merged = cow::merge(base, a.snapshot(), b.snapshot());
  CHECK(merged.pages_from_theirs == 2);
  CHECK(replay.advance() == "");
  CHECK(replay.count(support::EventKind::merged) == 1);
  CHECK(replayed(trace, replay) == "");

  for (unsigned round = 0; round < 60; ++round) {
    for (std::size_t i = 0; i < 8; ++i) support::store(a, 70 * i + round % 3, round);
    support::store(a, 660, round);
    a.restore(base);
    REQUIRE(replayed(trace, replay) == "");
  }
  CHECK(replay.count(support::EventKind::restored) == 60);

  base.save(folder / "base.cow");
  a.snapshot().save_delta(base, folder / "delta.cow");
  for (const cow::LoadMode mode : {cow::LoadMode::copied, cow::LoadMode::mapped}) {
    cow::LoadOptions options;
    options.mode = mode;
    cow::Region loaded = cow::Region::load({folder / "base.cow", folder / "delta.cow"}, options);
    CHECK(replayed(trace, replay) == "");
    support::store(loaded, 5, 9);
    CHECK(replayed(trace, replay) == "");
  }
  cow::Region opened = cow::Region::open(folder / "file");
  CHECK(replayed(trace, replay) == "");
  support::store(opened, 2, 9);
  const cow::Region lazy = opened.clone();
  const cow::Region eager = opened.clone(cow::CloneMode::eager);
  opened.discard(0, 5 * page);
  CHECK(replayed(trace, replay) == "");
  b.discard(10 * page, 520 * page);  // more than a leaf
  {
    const cow::WriteLease lease = b.write_lease(30 * page, 4 * page);
    const cow::Snapshot beside = b.snapshot();
    CHECK(replayed(trace, replay) == "");
  }
  CHECK(replayed(trace, replay) == "");
  CHECK(replay.count(support::EventKind::lease_begun) == 1);
  CHECK(replay.count(support::EventKind::lease_ended) == 1);
  CHECK(replay.count(support::EventKind::discarded) == 2);
}
