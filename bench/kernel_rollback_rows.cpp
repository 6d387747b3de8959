
#include <cow/cow.hpp>

#include <cstdint>
#include <string>

#include "fork_sides.hpp"
#include "kernel_rows.hpp"
#include "plain_memory.hpp"

namespace cow_bench {

namespace {

struct Loop {
  std::string what;
  RoundPages round;
  bool read_first = false;  ///< every page of both sides, once
  std::size_t rounds = 0;
};

/// Rounds that store and go back, as a program does that has been at it for a while.
class RollbackRounds {
 public:
  RollbackRounds(cow::Mechanism mechanism, std::size_t bytes, bool read_first)
      : region_(written_region(bytes, copied_by(mechanism))), start_(region_.snapshot()) {
    if (read_first) load_all(pages_of(region_));
  }

  double time_one(const std::vector<std::size_t>& pages, std::uint64_t value) {
    const std::uint64_t start = now_ns();
    time_stores(pages_of(region_), pages, value);
    region_.restore(start_);
    return elapsed_ns(start);
  }

 private:
  cow::Region region_;
  cow::Snapshot start_;
};

std::vector<Row> rows_of(const Loop& loop, const FilledMemfd& file, std::size_t bytes) {
  const std::size_t all = full_or_quick<std::size_t>(loop.rounds, 10);
  Row row{.what = "rollback rounds of 256 pages of 256 MiB, " + loop.what + ", " +
                  std::to_string(all) + " rounds",
          .ours = "stores, restore()",
          .theirs = "MAP_PRIVATE of a memfd, MADV_DONTNEED",
          .most = loop.round.same_every_round ? 0.5 : 1.0};
  Row handler{.what = row.what, .ours = row.ours, .theirs = by_handler};
  if (loop.read_first) row.most.reset();
  RollbackRounds ours(cow::Mechanism::kernel, bytes, loop.read_first);
  RollbackRounds handled(cow::Mechanism::handler, bytes, loop.read_first);
  const PlainMemory memory = file.map_private();
  if (loop.read_first) load_all(memory.pages());
  std::uint64_t turn = 0;
  const auto pages = [&] { return loop.round.of(memory.pages().count, turn); };
  take_numbered_turns(
      all, turn, [&](bool wanted) { keep(wanted, row.our_samples, ours.time_one(pages(), turn)); },
      [&](bool wanted) { keep(wanted, handler.their_samples, handled.time_one(pages(), turn)); },
      [&](bool wanted) {
        keep(wanted, row.their_samples, time_private_rollback(memory, pages(), turn));
      });
  handler.our_samples = row.our_samples;
  return {row, handler};
}

}  // namespace

Group kernel_rollbacks() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  const FilledMemfd file(bytes);
  const RoundPages same{.stores = 256, .same_every_round = true};
  const RoundPages others{.stores = 256};
  Group group;
  for (const Loop& loop :
       {Loop{"the same in every round", same, false, 3000},
        Loop{"others in every round", others, false, 3000},
        Loop{"the same in every round, every page read before", same, true, 3000},
        Loop{"others in every round, every page read before", others, true, 3000},
        Loop{"others in every round, every page read before", others, true, 50}}) {
    const std::vector<Row> rows = rows_of(loop, file, bytes);
    group.rows.insert(group.rows.end(), rows.begin(), rows.end());
  }
  return group;
}

}  // namespace cow_bench
