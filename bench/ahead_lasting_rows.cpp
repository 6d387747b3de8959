#include <cow/cow.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "ahead_rows.hpp"
#include "stores.hpp"

namespace cow_bench {

namespace {

/// A region that is snapshotted for ever: a round takes a snapshot, stores to random pages and
/// drops any one of the snapshots before.
class LongLife {
 public:
  LongLife(std::size_t bytes, std::size_t stores)
      : region_(written_region(bytes)), stores_(stores) {
    while (kept_.size() < snapshots_kept) {
      kept_.push_back(region_.snapshot());
      time_stores(pages_of(region_), draw_pages(pages_of(region_).count, stores_, any_()), 1);
    }
  }

  double time_round() {
    const auto pages = draw_pages(pages_of(region_).count, stores_, any_());
    const std::size_t dropped = any_() % snapshots_kept;
    const std::uint64_t start = now_ns();
    cow::Snapshot snapshot = region_.snapshot();
    time_stores(pages_of(region_), pages, 1);
    kept_[dropped] = std::move(snapshot);
    return elapsed_ns(start);
  }

  [[nodiscard]] double mappings() const { return static_cast<double>(region_.stats().mappings); }

 private:
  static constexpr std::size_t snapshots_kept = 8;

  cow::Region region_;
  std::size_t stores_;
  std::mt19937_64 any_{1};
  std::vector<cow::Snapshot> kept_;
};

/// Two figures after so many rounds: a round, and how many mappings there are, counted once.
Prepare rounds_after(std::size_t rounds_before) {
  return turns_over(
      [rounds_before] {
        LongLife life(full_or_quick(256 * mib, 4 * mib), 1000);
        for (std::size_t round = 0; round < rounds_before; ++round) life.time_round();
        return life;
      },
      [](LongLife& life, std::uint64_t turn) {
        const double mappings = life.mappings();
        Figures figures{life.time_round()};
        if (turn == 1) figures.add({mappings});
        return figures;
      });
}

}  // namespace

Group late_rounds_against_early() {
  const std::size_t late = full_or_quick<std::size_t>(10000, 40);
  Row time{.what = "a round of snapshot, 1,000 random pages, an old snapshot dropped; 256 MiB",
           .ours = "after " + std::to_string(late) + " rounds",
           .theirs = "after 10 rounds"};
  Row mappings = time;
  mappings.unit = Unit::mappings;
  Turns turns(rounds(21));
  turns.add(time.ours, rounds_after(late), {&time.our_samples, &mappings.our_samples});
  turns.add(time.theirs, rounds_after(10), {&time.their_samples, &mappings.their_samples});
  turns.take();
  return {.rows = {time, mappings}};
}

}  // namespace cow_bench
