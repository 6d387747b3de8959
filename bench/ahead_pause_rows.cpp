#include <cow/cow.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "ahead_rows.hpp"
#include "fork_sides.hpp"

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
  SideProcess other(2, [bytes] { return prepare_forks(bytes); });
  take_turns(
      rounds(9),
      [&](bool wanted) {
        // A new one each time: a second snapshot is not a first one.
        const cow::Region region = written_region(bytes);
        const Pause pause = time_snapshot(region, true);
        keep(wanted, taking.our_samples, pause.taking_ns);
        keep(wanted, reading.our_samples, pause.reading_ns);
      },
      [&](bool wanted) {
        const std::vector<double> times = other.measure().values();
        keep(wanted, taking.their_samples, times[0]);
        keep(wanted, reaped.their_samples, times[1]);
      });
  reading.their_samples = taking.their_samples;
  reaped.our_samples = taking.our_samples;
  return {.rows = {taking, reaped, reading}};
}

Group pauses_against_fork() {
  const std::size_t bytes = paused_bytes();
  const SideProcess other(2, [bytes] { return prepare_forks(bytes); });
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
    cow::Region unread_region = written_region(bytes);
    cow::Region read_region = written_region(bytes);
    std::uint64_t turn = 0;
    const auto pause = [&](cow::Region& region, bool with_bytes) {
      const Pages pages = pages_of(region);
      const Pause result = time_snapshot(region, with_bytes);
      time_stores(pages, draw_pages(pages.count, stores, turn), turn);
      return result;
    };
    take_numbered_turns(
        rounds(7), turn,
        [&](bool wanted) {
          keep(wanted, unread.our_samples, pause(unread_region, false).taking_ns);
        },
        [&](bool wanted) {
          const Pause times = pause(read_region, true);
          keep(wanted, read.our_samples, times.taking_ns);
          keep(wanted, reading.our_samples, times.reading_ns);
        },
        [&](bool wanted) { keep(wanted, unread.their_samples, other.measure().values()[0]); });
    read.their_samples = unread.their_samples;
    reading.their_samples = unread.their_samples;
    group.rows.insert(group.rows.end(), {unread, read, reading});
  }
  return group;
}

}  // namespace cow_bench
