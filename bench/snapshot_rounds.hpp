#pragma once

// Rounds of snapshots and stores, the side of libcow.

#include <cow/cow.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "fork_turns.hpp"
#include "stores.hpp"

namespace cow_bench {

inline cow::Snapshot plain_snapshot(const cow::Region& region) { return region.snapshot(); }

/// Rounds over one region: a snapshot, stores, the end of the snapshot.
template <typename TakeSnapshot>
class SnapshotRounds {
 public:
  SnapshotRounds(cow::Region region, RoundPages round, TakeSnapshot take)
      : region_(std::move(region)), round_(round), take_(std::move(take)) {
    // What a region has been through for a while; the first rounds find it written from end to end.
    for (std::size_t i = 0; i < rounds(20); ++i) {
      time_one(settling_rounds + i);
    }
  }

  /// Nanoseconds of round `turn`.
  double time_one(std::uint64_t turn) {
    const Pages memory = pages_of(region_);
    const auto pages = round_.of(memory.count, turn);
    const std::uint64_t start = now_ns();
    {
      const cow::Snapshot snapshot = take_(region_);
      time_stores(memory, pages, turn);
    }
    return elapsed_ns(start);
  }

 private:
  static constexpr std::uint64_t settling_rounds = 1'000'000;  // pages of their own

  cow::Region region_;
  RoundPages round_;
  TakeSnapshot take_;
};

}  // namespace cow_bench
