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

  [[nodiscard]] Samples mappings() const {
    return Samples({static_cast<double>(region_.stats().mappings)});
  }

 private:
  static constexpr std::size_t snapshots_kept = 8;

  cow::Region region_;
  std::size_t stores_;
  std::mt19937_64 any_{1};
  std::vector<cow::Snapshot> kept_;
};

}  // namespace

Group late_rounds_against_early() {
  const std::size_t late = full_or_quick<std::size_t>(10000, 40);
  Row time{.what = "a round of snapshot, 1,000 random pages, an old snapshot dropped; 256 MiB",
           .ours = "after " + std::to_string(late) + " rounds",
           .theirs = "after 10 rounds"};
  Row mappings = time;
  mappings.unit = Unit::mappings;
  LongLife old_one(full_or_quick(256 * mib, 4 * mib), 1000);
  for (std::size_t round = 0; round < late; ++round) {
    old_one.time_round();
  }
  LongLife young_one(full_or_quick(256 * mib, 4 * mib), 1000);
  for (std::size_t round = 0; round < 10; ++round) {
    young_one.time_round();
  }
  mappings.our_samples = old_one.mappings();
  mappings.their_samples = young_one.mappings();
  take_turns(
      rounds(21), [&](bool wanted) { keep(wanted, time.our_samples, old_one.time_round()); },
      [&](bool wanted) { keep(wanted, time.their_samples, young_one.time_round()); });
  return {.rows = {time, mappings}};
}

}  // namespace cow_bench
