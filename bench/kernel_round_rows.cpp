#include <cow/cow.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "fork_turns.hpp"
#include "kernel_rows.hpp"
#include "snapshot_rounds.hpp"

namespace cow_bench {

namespace {

std::size_t round_bytes() { return full_or_quick(256 * mib, 4 * mib); }

std::string rounds_of(std::size_t stores) {
  return "rounds of snapshot + " + std::to_string(stores) + " random stores + drop, 256 MiB";
}

/// One figure: a round.
Prepare rounds_by(cow::Mechanism mechanism, RoundPages round) {
  return [=]() -> Turn {
    const auto side = std::make_shared<SnapshotRounds<decltype(&plain_snapshot)>>(
        written_region(round_bytes(), copied_by(mechanism)), round, &plain_snapshot);
    return [side](std::uint64_t turn) { return Figures{side->time_one(turn)}; };
  };
}

}  // namespace

Group kernel_rounds_against_fork() {
  Group group;
  for (const auto& [stores, most] : {std::pair<std::size_t, double>{10, 0.025},
                                     {100, 0.05},
                                     {1000, 0.2},
                                     {10000, 0.45},
                                     {60000, 0.55}}) {
    const RoundPages round{.stores = stores};
    Row row{.what = rounds_of(stores),
            .ours = "snapshot()",
            .theirs = "fork(), the same stores, child reaped",
            .most = most};
    Turns turns(rounds(31));
    turns.add(row.ours, rounds_by(cow::Mechanism::kernel, round), {&row.our_samples});
    turns.add(row.theirs, fork_snapshots(round_bytes(), round), {&row.their_samples});
    turns.take();
    group.rows.push_back(row);
  }
  return group;
}

Group kernel_rounds_against_handler() {
  Group group;
  for (const bool same : {false, true}) {
    for (const std::size_t stores : {0U, 10U, 100U, 1000U, 10000U, 60000U}) {
      if (same && stores == 0) continue;
      const RoundPages round{.stores = stores, .same_every_round = same};
      Row row{.what = rounds_of(stores) + (same ? ", the same pages in every round" : ""),
              .ours = by_kernel,
              .theirs = by_handler};
      Turns turns(rounds(11));
      turns.add(row.ours, rounds_by(cow::Mechanism::kernel, round), {&row.our_samples});
      turns.add(row.theirs, rounds_by(cow::Mechanism::handler, round), {&row.their_samples});
      turns.take();
      group.rows.push_back(row);
    }
  }
  return group;
}

}  // namespace cow_bench
