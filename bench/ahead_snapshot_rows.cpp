#include <cow/cow.hpp>

#include <cstdint>
#include <string>
#include <utility>

#include "ahead_rows.hpp"
#include "fork_turns.hpp"
#include "machine.hpp"
#include "region_turns.hpp"
#include "snapshot_rounds.hpp"

namespace cow_bench {

Group unchanged_snapshot_against_fork() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  Row returned{.what = "snapshot of 1 GiB, nothing written since the last",
               .ours = "snapshot()",
               .theirs = "fork() of a process with 1 GiB, until it returns",
               .most = 1.0 / 1000};
  Row reaped{.what = returned.what,
             .ours = returned.ours,
             .theirs = "the same, until the child is reaped"};
  Turns turns(rounds(31));
  turns.add(
      returned.ours,
      turns_over([bytes] { return protected_region(bytes); },
                 [](const cow::Region& region, std::uint64_t) { return time_snapshot(region); }),
      {&returned.our_samples});
  turns.add(returned.theirs, forks(bytes), {&returned.their_samples, &reaped.their_samples});
  turns.take();
  reaped.our_samples = returned.our_samples;
  return {.rows = {returned, reaped}};
}

namespace {

void measure_rounds(Row& row, std::size_t bytes, RoundPages round,
                    cow::Snapshot (*take)(const cow::Region&), std::size_t most_turns = 21) {
  // Both hold the memory at once; below that the figures would be those of a machine that swaps.
  if (available_bytes() / 4 * 3 < 2 * bytes) {
    row.left_out = "there is not enough free memory";
    return;
  }
  Turns turns(rounds(most_turns));
  turns.add(row.ours,
            turns_over([=] { return SnapshotRounds(written_region(bytes), round, take); },
                       [](auto& ours, std::uint64_t turn) { return ours.time_one(turn); }),
            {&row.our_samples});
  turns.add(row.theirs, fork_snapshots(bytes, round), {&row.their_samples});
  turns.take();
}

constexpr const char* same_with_fork = "fork(), the same stores, child reaped";

}  // namespace

Group scattered_snapshot_against_fork() {
  Row row{.what = "4 GiB after 100 scattered stores: snapshot and the next 100 stores",
          .ours = "snapshot(), stores, snapshot dropped",
          .theirs = same_with_fork,
          .most = 1.0 / 30};
  measure_rounds(row, full_or_quick(4 * gib, 16 * mib), {.stores = 100}, plain_snapshot, 11);
  return {.rows = {row}};
}

Group snapshot_rounds_against_fork() {
  Group group;
  for (const auto& [stores, most] :
       {std::pair<std::size_t, double>{10, 1.0 / 20}, {100, 1.0 / 5}, {1000, 1.2}, {10000, 3}}) {
    Row row{
        .what = "rounds of snapshot + " + std::to_string(stores) + " random stores + drop, 256 MiB",
        .ours = "snapshot()",
        .theirs = same_with_fork,
        .most = most};
    measure_rounds(row, full_or_quick(256 * mib, 4 * mib), {.stores = stores}, plain_snapshot);
    group.rows.push_back(row);
  }
  return group;
}

Group quiescent_rounds_against_fork() {
  Group group;
  for (const std::size_t stores : {10U, 100U, 1000U, 10000U}) {
    Row row{.what = "the same with the same " + std::to_string(stores) +
                    " pages in every round, writers quiescent",
            .ours = "snapshot(SnapshotMode::quiescent)",
            .theirs = same_with_fork,
            .most = 0.7};
    measure_rounds(
        row, full_or_quick(256 * mib, 4 * mib), {.stores = stores, .same_every_round = true},
        [](const cow::Region& region) { return region.snapshot(cow::SnapshotMode::quiescent); });
    group.rows.push_back(row);
  }
  return group;
}

}  // namespace cow_bench
