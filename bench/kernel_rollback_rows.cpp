
#include <cow/cow.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fork_turns.hpp"
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

std::size_t rollback_bytes() { return full_or_quick(256 * mib, 4 * mib); }

/// One figure: a round that stores and goes back, as a program does that has been at it for a
/// while.
Prepare rollbacks_by(cow::Mechanism mechanism, const Loop& loop) {
  struct Side {
    explicit Side(cow::Region made) : region(std::move(made)), start(region.snapshot()) {}
    cow::Region region;
    cow::Snapshot start;
  };
  return [=]() -> Turn {
    const auto side =
        std::make_shared<Side>(written_region(rollback_bytes(), copied_by(mechanism)));
    const Pages memory = pages_of(side->region);
    if (loop.read_first) load_all(memory);
    return [side, memory, round = loop.round](std::uint64_t turn) {
      const std::vector<std::size_t> pages = round.of(memory.count, turn);
      const std::uint64_t start = now_ns();
      time_stores(memory, pages, turn);
      side->region.restore(side->start);
      return Figures{elapsed_ns(start)};
    };
  };
}

/// The same of a private mapping of a file, by the kernel alone.
Prepare private_rollbacks(const Loop& loop) {
  struct Side {
    FilledMemfd file{rollback_bytes()};
    PlainMemory memory = file.map_private();
  };
  return [=]() -> Turn {
    const auto side = std::make_shared<Side>();
    if (loop.read_first) load_all(side->memory.pages());
    return [side, round = loop.round](std::uint64_t turn) {
      const auto pages = round.of(side->memory.pages().count, turn);
      return Figures{time_private_rollback(side->memory, pages, turn)};
    };
  };
}

std::vector<Row> rows_of(const Loop& loop) {
  const std::size_t all = full_or_quick<std::size_t>(loop.rounds, 10);
  Row row{.what = "rollback rounds of 256 pages of 256 MiB, " + loop.what + ", " +
                  std::to_string(all) + " rounds",
          .ours = "stores, restore()",
          .theirs = "MAP_PRIVATE of a memfd, MADV_DONTNEED",
          .most = loop.round.same_every_round ? 0.5 : 1.0};
  Row handler{.what = row.what, .ours = row.ours, .theirs = by_handler};
  if (loop.read_first) row.most.reset();
  Turns turns(all);
  turns.add(row.ours, rollbacks_by(cow::Mechanism::kernel, loop), {&row.our_samples});
  turns.add(by_handler, rollbacks_by(cow::Mechanism::handler, loop), {&handler.their_samples});
  turns.add(row.theirs, private_rollbacks(loop), {&row.their_samples});
  turns.take();
  handler.our_samples = row.our_samples;
  return {row, handler};
}

}  // namespace

Group kernel_rollbacks() {
  const RoundPages same{.stores = 256, .same_every_round = true};
  const RoundPages others{.stores = 256};
  Group group;
  for (const Loop& loop :
       {Loop{"the same in every round", same, false, 3000},
        Loop{"others in every round", others, false, 3000},
        Loop{"the same in every round, every page read before", same, true, 3000},
        Loop{"others in every round, every page read before", others, true, 3000},
        Loop{"others in every round, every page read before", others, true, 50}}) {
    const std::vector<Row> rows = rows_of(loop);
    group.rows.insert(group.rows.end(), rows.begin(), rows.end());
  }
  return group;
}

}  // namespace cow_bench
