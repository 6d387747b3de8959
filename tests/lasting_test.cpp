// A region that is snapshotted for ever: what a round costs, and what the region takes, stays what
// it was at the beginning.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "injection.hpp"
#include "support.hpp"

using cow::Region;
using cow::RegionStats;
using cow::Snapshot;

namespace {

constexpr std::size_t kPages = 4096;
constexpr std::size_t kStores = 64;
constexpr std::size_t kKept = 8;
constexpr std::size_t kFewRounds = 100;

std::size_t many_rounds() { return support::scaled(2000); }

/// Snapshot, stores to random pages, and one of the snapshots before is dropped: round after round.
class LongLife {
 public:
  explicit LongLife(std::uint64_t seed)
      : region_(Region::create(kPages * support::page_bytes(), support::options())), random_(seed) {
    support::fill(region_.bytes(), seed);  // every host page of a larger granule, too
    while (kept_.size() < kKept) kept_.push_back(region_.snapshot());
  }

  /// What the next round will do. Apart from the round, so that a round does nothing else.
  void choose() {
    pages_.resize(kStores);
    std::ranges::generate(pages_, [&] { return random_.below(kPages); });
    dropped_ = random_.below(kKept);
  }

  void run_round() {
    Snapshot snapshot = region_.snapshot();
    for (const std::size_t page : pages_) support::store(region_, page, ++value_ % 251);
    kept_[dropped_] = std::move(snapshot);
  }

  void run_rounds(std::size_t count) {
    for (std::size_t round = 0; round < count; ++round) {
      choose();
      run_round();
    }
  }

  /// The next rounds are those of `seed`, whatever was before. Not the seed of the beginning: pages
  /// that were stored to a few rounds ago are hot.
  void begin_anew(std::uint64_t seed) { random_ = support::Random(seed); }

  [[nodiscard]] const Region& region() const { return region_; }

 private:
  Region region_;
  support::Random random_;
  unsigned value_ = 0;
  std::vector<Snapshot> kept_;
  std::vector<std::size_t> pages_;
  std::size_t dropped_ = 0;
};

/// What fifty rounds took, and what there is after them.
struct Cost {
  double faults = 0;
  double copied = 0;
  double mappings = 0;
  double frames = 0;
  double metadata = 0;

  /// In copied pages, of which a fault is worth 11: see "Prices" in docs/windows.md. Windows weigh
  /// the one against the other, by whether there are frames to be had that held something before.
  [[nodiscard]] double work() const { return 11 * faults + copied; }
};

Cost cost_of_rounds(LongLife& life, std::uint64_t seed) {
  life.begin_anew(seed + 1);
  const RegionStats before = life.region().stats();
  life.run_rounds(50);
  const RegionStats after = life.region().stats();
  return {static_cast<double>(after.faults - before.faults),
          static_cast<double>(after.pages_copied - before.pages_copied),
          static_cast<double>(after.mappings),
          static_cast<double>(cow::process_stats().frames_in_use),
          static_cast<double>(after.bytes_metadata)};
}

/// The system calls of a hundred rounds after `rounds` others. One alone differs by chance.
injection::Outcome traced_round(std::size_t rounds, std::uint64_t seed) {
  const injection::Plan nothing_fails{.k = std::numeric_limits<unsigned>::max()};
  return injection::run(nothing_fails, [=](const injection::Window& window) -> std::string {
    LongLife life(seed);
    life.run_rounds(rounds);
    life.begin_anew(seed + 1);
    life.run_rounds(2 * kKept);
    const auto some_rounds = [&] {
      for (int round = 0; round < 100; ++round) {
        life.choose();
        life.run_round();
      }
    };
    return window.run(some_rounds) == nullptr ? "" : "a round threw";
  });
}

}  // namespace

TEST_CASE("after thousands of snapshots a round of snapshot, stores and drop costs what it did "
          "after a hundred",
          "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  LongLife life(seed);
  life.run_rounds(kFewRounds);
  const Cost early = cost_of_rounds(life, seed);
  life.run_rounds(many_rounds());
  const Cost late = cost_of_rounds(life, seed);

  REQUIRE((early.faults > 0 || support::kernel_copies()));
  CHECK(late.work() <= 1.02 * early.work());
  CHECK(late.mappings <= 1.1 * early.mappings + 4);
  CHECK(late.frames <= 1.05 * early.frames);
  CHECK(late.metadata <= 1.1 * early.metadata);
  CHECK(life.region().stats().mappings == support::count_mappings(life.region()));
  CHECK(support::broken_invariant(life.region()) == "");
}

TEST_CASE("after thousands of snapshots a round makes as many system calls as after a hundred",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const injection::Outcome early = traced_round(kFewRounds, seed);
  if (const std::string reason = injection::reason_to_skip({}); !reason.empty()) {
    WARN("skipped: " << reason);
    return;
  }
  const injection::Outcome late = traced_round(many_rounds(), seed);
  REQUIRE(early.complaint == "");
  REQUIRE(late.complaint == "");
  REQUIRE(early.calls > 0);
  // Which frames lie side by side is chance; what grew with the rounds would be many times as much.
  CHECK(late.calls <= early.calls + early.calls / 6);
}
