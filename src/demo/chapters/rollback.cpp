// Back to the same snapshot, again and again: as a fuzzer, a speculation or a test does.

#include <chrono>

#include <fmt/format.h>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/content.hpp"
#include "demo/chapters/told.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

/// What one round of stores and a restore came to.
struct Round {
  std::uint64_t faults = 0;
  std::uint64_t copied = 0;
  std::uint64_t restored = 0;
  std::uint64_t ns = 0;
};

constexpr std::size_t stores = 3;

Round go_round(Region& region, const Snapshot& snapshot) {
  const RegionStats before = region.stats();
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t page = 0; page < stores; ++page) {
    region.data()[(2 * page + 1) * region.page_bytes()] = std::byte{'!'};
  }
  region.restore(snapshot);
  const auto end = std::chrono::steady_clock::now();
  const RegionStats after = region.stats();
  return {after.faults - before.faults, after.pages_copied - before.pages_copied,
          after.pages_restored - before.pages_restored,
          static_cast<std::uint64_t>(std::chrono::nanoseconds(end - start).count())};
}

}  // namespace

void run_rollback(Recorder& recorder, const ChapterOptions& options) {
  Scene& scene = recorder.scene();
  Region& region = add_letters(recorder, options, "A", 0);
  scene.add("S", region.snapshot());
  recorder.show(told(Focus::overview, "S = A.snapshot()",
                     "The point to come back to. A program tries something, and A must be as it "
                     "was before the next try."));
  recorder.store_at_once({"A", 1, "", "A try stores to page 1: a fault, a copy."});
  region.restore(scene.snapshot("S"));
  recorder.show(told(Focus::event, "A.restore(S)",
                     "The bytes are those of S again, at the same address. Only what differed was "
                     "touched."));
  const Question question{
      "The same three pages are stored to in every round, and restored. Each round starts like the "
      "first. How many faults does the tenth round take?",
      "The last row says: pages that are stored to in every round stay writable, and are "
      "put back by copying."};
  recorder.ask(question);
  Step table =
      told(Focus::table, "Ten rounds of three stores and a restore",
           "A fault costs more than copying a page, so a restore that finds a page changed "
           "every time leaves it writable and puts its bytes back.");
  table.table.push_back(
      fmt::format("{:>5}{:>9}{:>9}{:>11}{:>12}", "round", "faults", "copied", "put back", "took"));
  for (std::size_t i = 1; i <= 10; ++i) {
    const Round round = go_round(region, scene.snapshot("S"));
    if (i > 3 && i < 10) continue;
    table.table.push_back(fmt::format("{:>5}{:>9}{:>9}{:>11}{:>12}", i, round.faults, round.copied,
                                      round.restored, tool::time_text(round.ns)));
  }
  table.answered = question;
  recorder.show(std::move(table));
}

}  // namespace cow::demo
