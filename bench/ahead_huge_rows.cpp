#include <cow/cow.hpp>

#include <cstdint>

#include "ahead_rows.hpp"
#include "fork_sides.hpp"
#include "huge_pages_allowed.hpp"

namespace cow_bench {

Group huge_snapshot_against_fork() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  Row returned{.what = "first snapshot of 1 GiB fully written, huge pages allowed",
               .ours = "snapshot()",
               .theirs = "fork() of a process with 1 GiB, until it returns",
               .most = 1.0 / 50};
  Row reaped{.what = returned.what,
             .ours = returned.ours,
             .theirs = "the same, until the child is reaped"};
  const HugePagesAllowed allowed;
  if (!allowed) {
    returned.left_out = HugePagesAllowed::why_not;
    return {.rows = {returned}};
  }
  SideProcess other(2, [bytes] { return prepare_forks(bytes); });
  cow::RegionOptions options;
  options.huge_pages = true;
  take_turns(
      rounds(11),
      [&](bool wanted) {
        // A new one each time: the kernel splits a huge page once a part of it was protected.
        const cow::Region region = written_region(bytes, options);
        const std::uint64_t start = now_ns();
        const cow::Snapshot snapshot = region.snapshot();
        keep(wanted, returned.our_samples, elapsed_ns(start));
      },
      [&](bool wanted) {
        const std::vector<double> times = other.measure().values();
        keep(wanted, returned.their_samples, times[0]);
        keep(wanted, reaped.their_samples, times[1]);
      });
  reaped.our_samples = returned.our_samples;
  return {.rows = {returned, reaped}};
}

}  // namespace cow_bench
