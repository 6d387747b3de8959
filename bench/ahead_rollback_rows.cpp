#include <sys/mman.h>

#include <cow/cow.hpp>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

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

/// Rows of one number of pages: against MAP_PRIVATE, against a fork() with as much memory, and
/// against one with a quarter of it.
Group rollbacks_of(std::size_t bytes, RoundPages round) {
  const std::string which =
      round.same_every_round ? " pages, the same in every round" : " pages, others in every round";
  Row base{.what = "rollback rounds of " + std::to_string(round.stores) + which + ", 1 GiB",
           .ours = "stores, restore()",
           .theirs = ""};
  Row private_file = base;
  private_file.theirs = "MAP_PRIVATE of a memfd, MADV_DONTNEED";
  Row forked = base;
  forked.theirs = "fork(), the child stores and ends";
  Row small_fork = base;
  small_fork.theirs = "fork() of a process with 256 MiB";
  if (round.same_every_round) {
    private_file.most = 1.0 / 5;
    forked.most = 1.0 / 50;
  }

  SideProcess large(1, [=] { return prepare_fork_trials(bytes, round); });
  SideProcess small(1, [=] { return prepare_fork_trials(bytes / 4, round); });
  cow::Region region = written_region(bytes);
  const cow::Snapshot start_of_round = region.snapshot();
  const FilledMemfd file(bytes);
  const PlainMemory memory = file.map_private();
  const Pages pages = pages_of(region);
  const auto time_one = [&](std::uint64_t turn) {
    const auto chosen = round.of(pages.count, turn);
    const std::uint64_t start = now_ns();
    time_stores(pages, chosen, turn);
    region.restore(start_of_round);
    return elapsed_ns(start);
  };
  std::uint64_t turn = 1'000'000;
  for (std::size_t i = 0; i < rounds(20); ++i) {
    time_one(++turn);
  }
  turn = 0;
  take_turns(
      rounds(15), [&](bool wanted) { keep(wanted, private_file.our_samples, time_one(++turn)); },
      [&](bool wanted) {
        keep(wanted, private_file.their_samples,
             time_private_rollback(memory, round.of(pages.count, turn), turn));
      },
      [&](bool wanted) { keep(wanted, forked.their_samples, large.measure().median()); },
      [&](bool wanted) { keep(wanted, small_fork.their_samples, small.measure().median()); });
  forked.our_samples = private_file.our_samples;
  small_fork.our_samples = private_file.our_samples;
  return {.rows = {private_file, forked, small_fork}};
}

}  // namespace

Group rollbacks_against_others() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  Group group;
  for (const bool same : {true, false}) {
    for (const std::size_t pages : {16, 256, 4096}) {
      const Group part = rollbacks_of(bytes, {.stores = pages, .same_every_round = same});
      group.rows.insert(group.rows.end(), part.rows.begin(), part.rows.end());
    }
  }
  return group;
}

}  // namespace cow_bench
