#include <sys/mman.h>

#include <cow/cow.hpp>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "ahead_rows.hpp"
#include "fork_sides.hpp"
#include "plain_memory.hpp"

namespace cow_bench {

namespace {

/// What the kernel has for going back: private copies of a file's pages, thrown away.
double time_private_rollback(const PlainMemory& memory, const std::vector<std::size_t>& pages,
                             std::uint64_t value) {
  const std::uint64_t start = now_ns();
  time_stores(memory.pages(), pages, value);
  if (::madvise(memory.data(), memory.size(), MADV_DONTNEED) != 0) {
    throw std::system_error(errno, std::generic_category(), "madvise");
  }
  return elapsed_ns(start);
}

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
  take_turns(
      turns - 1, [&](bool wanted) { keep(wanted, private_file.our_samples, time_one(++turn)); },
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

}  // namespace cow_bench
