#include <cow/cow.hpp>

#include <cstdint>
#include <string>

#include "ahead_rows.hpp"
#include "fork_turns.hpp"

namespace cow_bench {

namespace {

std::size_t paused_bytes() { return full_or_quick(gib, 4 * mib); }

constexpr const char* fork_of_as_much = "fork() of a process with 1 GiB, until it returns";

/// What a snapshot costs when it is taken, and when its bytes are wanted.
struct Pause {
  cow::Snapshot snapshot;
  double taking_ns = 0;
  double reading_ns = 0;
};

Pause time_snapshot(const cow::Region& region, bool read) {
  std::uint64_t start = now_ns();
  Pause pause{.snapshot = region.snapshot(), .taking_ns = elapsed_ns(start)};
  if (read) {
    start = now_ns();
    static_cast<void>(pause.snapshot.bytes());
    pause.reading_ns = elapsed_ns(start);
  }
  return pause;
}

/// Two figures: the snapshot and, if it is to be read, its bytes. Stores to the region follow.
Prepare pauses(std::size_t bytes, std::size_t stores, bool read) {
  return turns_over([bytes] { return written_region(bytes); },
                    [=](cow::Region& region, std::uint64_t turn) {
                      const Pages pages = pages_of(region);
                      const Pause pause = time_snapshot(region, read);
                      time_stores(pages, draw_pages(pages.count, stores, turn), turn);
                      return Figures{pause.taking_ns, pause.reading_ns};
                    });
}

}  // namespace

Group very_first_snapshot_against_fork() {
  const std::size_t bytes = paused_bytes();
  Row taking{.what = "the very first snapshot of 1 GiB, just made and written from end to end",
             .ours = "snapshot()",
             .theirs = fork_of_as_much,
             .most = 1};
  Row reading{.what = taking.what, .ours = "its first bytes()", .theirs = fork_of_as_much};
  Row reaped{.what = taking.what,
             .ours = taking.ours,
             .theirs = "the same fork(), until the child is reaped"};
  Turns turns(rounds(9));
  turns.add(taking.ours, turns_of([bytes](std::uint64_t) {
              // A new one each time: a second snapshot is not a first one.
              const cow::Region region = written_region(bytes);
              const Pause pause = time_snapshot(region, true);
              return Figures{pause.taking_ns, pause.reading_ns};
            }),
            {&taking.our_samples, &reading.our_samples});
  turns.add(taking.theirs, forks(bytes), {&taking.their_samples, &reaped.their_samples});
  turns.take();
  reading.their_samples = taking.their_samples;
  reaped.our_samples = taking.our_samples;
  return {.rows = {taking, reaped, reading}};
}

Group pauses_against_fork() {
  const std::size_t bytes = paused_bytes();
  Group group;
  for (const std::size_t stores : {100U, 1000U, 5000U, 10000U, 20000U, 40000U}) {
    const std::string what =
        "1 GiB, " + std::to_string(stores) + " random stores since the last snapshot, dropped";
    Row unread{.what = what,
               .ours = "snapshot(), the last one not read",
               .theirs = fork_of_as_much,
               .most = 1};
    Row read{.what = what,
             .ours = "snapshot(), the last one read (bytes())",
             .theirs = fork_of_as_much,
             .most = 1};
    Row reading{
        .what = what, .ours = "bytes() of the new one", .theirs = fork_of_as_much, .most = 1};
    Turns turns(rounds(7));
    turns.add(unread.ours, pauses(bytes, stores, false), {&unread.our_samples});
    turns.add(read.ours, pauses(bytes, stores, true), {&read.our_samples, &reading.our_samples});
    turns.add(unread.theirs, forks(bytes), {&unread.their_samples});
    turns.take();
    read.their_samples = unread.their_samples;
    reading.their_samples = unread.their_samples;
    group.rows.insert(group.rows.end(), {unread, read, reading});
  }
  return group;
}

}  // namespace cow_bench
