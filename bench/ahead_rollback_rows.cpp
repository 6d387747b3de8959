
#include <cow/cow.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "ahead_rows.hpp"
#include "fork_sides.hpp"
#include "plain_memory.hpp"

namespace cow_bench {

namespace {

/// What the rounds of libcow are compared with, for all rows: a private mapping, a process with as
/// much memory, and one with a quarter of it.
struct Others {
  Others(std::size_t bytes, const std::vector<RoundPages>& every_round, std::size_t turns)
      : large(1, [=] { return prepare_fork_trials(bytes, every_round, turns); }),
        small(1, [=] { return prepare_fork_trials(bytes / 4, every_round, turns); }),
        file(bytes),
        memory(file.map_private()) {}

  SideProcess large;
  SideProcess small;
  FilledMemfd file;
  PlainMemory memory;
};

std::vector<Row> rollbacks_of(std::size_t bytes, const RoundPages& round, std::size_t turns,
                              const Others& others) {
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

  cow::Region region = written_region(bytes);
  const cow::Snapshot start_of_round = region.snapshot();
  const Pages pages = pages_of(region);
  const auto time_one = [&](std::uint64_t turn) {
    const auto chosen = round.of(pages.count, turn);
    const std::uint64_t start = now_ns();
    time_stores(pages, chosen, turn);
    region.restore(start_of_round);
    return elapsed_ns(start);
  };
  // A loop that has run for a while: the library has seen which pages it stores to.
  constexpr std::uint64_t other_pages = 1'000'000;
  for (std::size_t i = 0; i < rounds(round.same_every_round ? 20 : 5); ++i) {
    time_one(other_pages + i);
  }
  std::uint64_t turn = 0;
  take_numbered_turns(
      turns - 1, turn, [&](bool wanted) { keep(wanted, private_file.our_samples, time_one(turn)); },
      [&](bool wanted) {
        keep(wanted, private_file.their_samples,
             time_private_rollback(others.memory, round.of(pages.count, turn), turn));
      },
      [&](bool wanted) { keep(wanted, forked.their_samples, others.large.measure().median()); },
      [&](bool wanted) {
        keep(wanted, small_fork.their_samples, others.small.measure().median());
      });
  forked.our_samples = private_file.our_samples;
  small_fork.our_samples = private_file.our_samples;
  return {private_file, forked, small_fork};
}

}  // namespace

Group rollbacks_against_others() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  const std::size_t turns = rounds(11) + 1;
  std::vector<RoundPages> every_round;
  for (const bool same : {true, false}) {
    for (const std::size_t pages : {16U, 256U, 4096U}) {
      every_round.push_back({.stores = pages, .same_every_round = same});
    }
  }
  const Others others(bytes, every_round, turns);
  Group group;
  for (const RoundPages& round : every_round) {
    const std::vector<Row> part = rollbacks_of(bytes, round, turns, others);
    group.rows.insert(group.rows.end(), part.begin(), part.end());
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

/// The first hundred rounds, the last hundred, and rounds that are clones of the past instead.
std::vector<Row> long_rollbacks(const LongLoop& loop, const FilledMemfd& file) {
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
  cow::Region region = written_region(full_or_quick(256 * mib, 4 * mib));
  const PlainMemory memory = file.map_private();
  const cow::Snapshot start_of_round = region.snapshot();
  const Pages pages = pages_of(region);
  for (std::uint64_t round = 0; round < all; ++round) {
    const auto chosen = loop.of(pages.count, round);
    const std::uint64_t start = now_ns();
    time_stores(pages, chosen, round);
    region.restore(start_of_round);
    const double ours = elapsed_ns(start);
    if (round >= watched && round < all - watched) {
      continue;
    }
    Row& row = round < watched ? early : late;
    row.our_samples.add(ours);
    row.their_samples.add(time_private_rollback(memory, chosen, round));
  }
  for (std::uint64_t round = all; round < all + watched; ++round) {
    const auto chosen = loop.of(pages.count, round);
    const std::uint64_t start = now_ns();
    {
      cow::Region clone = cow::Region::from_snapshot(start_of_round);
      time_stores(pages_of(clone), chosen, round);
    }
    cloned.our_samples.add(elapsed_ns(start));
    cloned.their_samples.add(time_private_rollback(memory, chosen, round));
  }
  return {early, late, cloned};
}

LongLoop other_pages(std::size_t stores, std::size_t rounds) {
  return {.pages = std::to_string(stores) + " pages, others in every round",
          .a_round = {{.stores = stores}},
          .rounds = rounds};
}

Group long_rollbacks(const std::vector<LongLoop>& loops) {
  const FilledMemfd file(full_or_quick(256 * mib, 4 * mib));
  Group group;
  for (const LongLoop& loop : loops) {
    const std::vector<Row> part = long_rollbacks(loop, file);
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
