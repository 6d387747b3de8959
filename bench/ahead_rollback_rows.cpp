#include <cow/cow.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ahead_rows.hpp"
#include "fork_turns.hpp"
#include "plain_memory.hpp"

namespace cow_bench {

namespace {

/// A region and what it goes back to.
class Past {
 public:
  explicit Past(std::size_t bytes) : region_(written_region(bytes)), past_(region_.snapshot()) {}

  [[nodiscard]] Pages pages() { return pages_of(region_); }

  double time_restore(const std::vector<std::size_t>& which, std::uint64_t value) {
    const Pages memory = pages();
    const std::uint64_t start = now_ns();
    time_stores(memory, which, value);
    region_.restore(past_);
    return elapsed_ns(start);
  }

  /// A clone of the past that is stored to and dropped, instead.
  double time_clone(const std::vector<std::size_t>& which, std::uint64_t value) {
    const std::uint64_t start = now_ns();
    {
      cow::Region clone = cow::Region::from_snapshot(past_);
      time_stores(pages_of(clone), which, value);
    }
    return elapsed_ns(start);
  }

 private:
  cow::Region region_;
  cow::Snapshot past_;
};

/// One figure: stores, and the restore().
Prepare restores(std::size_t bytes, RoundPages round) {
  const auto settled = [=] {
    Past past(bytes);
    // A loop that has run for a while: the library has seen which pages it stores to.
    constexpr std::uint64_t other_pages = 1'000'000;
    for (std::size_t i = 0; i < rounds(round.same_every_round ? 20 : 5); ++i) {
      past.time_restore(round.of(past.pages().count, other_pages + i), other_pages + i);
    }
    return past;
  };
  return turns_over(settled, [=](Past& past, std::uint64_t turn) {
    return past.time_restore(round.of(past.pages().count, turn), turn);
  });
}

/// One figure: what the kernel has for it.
template <typename Loop>
Prepare private_rollbacks(std::size_t bytes, Loop loop) {
  return turns_over([bytes] { return FilledMemfd(bytes).map_private(); },
                    [loop](const PlainMemory& memory, std::uint64_t turn) {
                      const auto chosen = loop.of(memory.pages().count, turn);
                      return time_private_rollback(memory, chosen, turn);
                    });
}

std::vector<Row> rollbacks_of(std::size_t bytes, const RoundPages& round) {
  const std::string which =
      round.same_every_round ? " pages, the same in every round" : " pages, others in every round";
  Row private_file{.what = "rollback rounds of " + std::to_string(round.stores) + which + ", 1 GiB",
                   .ours = "stores, restore()",
                   .theirs = "MAP_PRIVATE of a memfd, MADV_DONTNEED"};
  Row forked = private_file;
  forked.theirs = "fork(), the child stores and ends";
  Row small_fork = private_file;
  small_fork.theirs = "fork() of a process with 256 MiB";
  if (round.same_every_round) {
    private_file.most = 1.0 / 5;
    forked.most = 1.0 / 50;
  }

  Turns turns(rounds(11));
  turns.add(private_file.ours, restores(bytes, round), {&private_file.our_samples});
  turns.add(private_file.theirs, private_rollbacks(bytes, round), {&private_file.their_samples});
  turns.add(forked.theirs, fork_trials(bytes, round), {&forked.their_samples});
  turns.add(small_fork.theirs, fork_trials(bytes / 4, round), {&small_fork.their_samples});
  turns.take();
  forked.our_samples = private_file.our_samples;
  small_fork.our_samples = private_file.our_samples;
  return {private_file, forked, small_fork};
}

}  // namespace

Group rollbacks_against_others() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  Group group;
  for (const bool same : {true, false}) {
    for (const std::size_t pages : {16U, 256U, 4096U}) {
      const std::vector<Row> part =
          rollbacks_of(bytes, {.stores = pages, .same_every_round = same});
      group.rows.insert(group.rows.end(), part.begin(), part.end());
    }
  }
  return group;
}

namespace {

/// A loop that stores and goes back for as long as a program lives.
struct LongLoop {
  std::string pages;                ///< of a round, in words
  std::vector<RoundPages> a_round;  ///< whose pages together are a round's
  std::size_t rounds = 0;

  [[nodiscard]] std::vector<std::size_t> of(std::size_t pages_there, std::uint64_t round) const {
    std::vector<std::size_t> all;
    for (const RoundPages& part : a_round) {
      const std::vector<std::size_t> some = part.of(pages_there, round);
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
};

constexpr const char* going_back = "stores, restore()";
constexpr const char* kernels_own = "MAP_PRIVATE of a memfd, MADV_DONTNEED";

/// One figure: a round; after `all` of them rounds that are clones of the past.
Prepare rounds_and_clones(const LongLoop& loop, std::size_t bytes, std::size_t all) {
  return turns_over([bytes] { return std::make_unique<Past>(bytes); },
                    [=](std::unique_ptr<Past>& past, std::uint64_t turn) {
                      const auto chosen = loop.of(past->pages().count, turn);
                      if (turn > all) return past->time_clone(chosen, turn);
                      const double time = past->time_restore(chosen, turn);
                      // The first rounds of a region cannot be rehearsed in it.
                      if (turn == 0) past = std::make_unique<Past>(bytes);
                      return time;
                    });
}

Samples some_of(const Samples& samples, std::size_t first, std::size_t count) {
  const auto begin = samples.values().begin() + static_cast<std::ptrdiff_t>(first);
  return Samples(std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(count)));
}

/// The first hundred rounds, the last hundred, and rounds that are clones of the past instead.
std::vector<Row> rows_of(const LongLoop& loop) {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  const std::size_t watched = full_or_quick<std::size_t>(100, 2);
  const std::size_t all = full_or_quick<std::size_t>(loop.rounds, 10);
  const std::string what = "rollback rounds of " + loop.pages + ", 256 MiB, ";
  Row early{.what = what + "the first " + std::to_string(watched),
            .ours = going_back,
            .theirs = kernels_own,
            .most = 5};
  Row late{.what = what + "the last " + std::to_string(watched) + " of " + std::to_string(all),
           .ours = going_back,
           .theirs = kernels_own,
           .most = 5};
  Row cloned{.what = late.what,
             .ours = "from_snapshot(), stores, the clone dropped",
             .theirs = kernels_own};
  Samples ours;
  Samples theirs;
  Turns turns(all + watched);
  turns.add(going_back, rounds_and_clones(loop, bytes, all), {&ours});
  turns.add(kernels_own, private_rollbacks(bytes, loop), {&theirs});
  turns.take();
  for (const auto& [row, first] :
       {std::pair<Row*, std::size_t>{&early, 0}, {&late, all - watched}, {&cloned, all}}) {
    row->our_samples = some_of(ours, first, watched);
    row->their_samples = some_of(theirs, first, watched);
  }
  return {early, late, cloned};
}

LongLoop other_pages(std::size_t stores, std::size_t rounds) {
  return {.pages = std::to_string(stores) + " pages, others in every round",
          .a_round = {{.stores = stores}},
          .rounds = rounds};
}

Group long_rollbacks(const std::vector<LongLoop>& loops) {
  Group group;
  for (const LongLoop& loop : loops) {
    const std::vector<Row> part = rows_of(loop);
    group.rows.insert(group.rows.end(), part.begin(), part.end());
  }
  return group;
}

}  // namespace

Group long_rollbacks_of_other_pages() {
  return long_rollbacks({other_pages(16, 4000),
                         other_pages(64, 4000),
                         other_pages(256, 2000),
                         {.pages = "256 pages, 230 of them the same and 26 others in every round",
                          .a_round = {{.stores = 230, .same_every_round = true}, {.stores = 26}},
                          .rounds = 2000},
                         {.pages = "256 pages, the same in every round",
                          .a_round = {{.stores = 256, .same_every_round = true}},
                          .rounds = 2000}});
}

Group long_rollbacks_of_many_other_pages() { return long_rollbacks({other_pages(4096, 1000)}); }

}  // namespace cow_bench
