#include <cow/options.hpp>

#include <cstdint>

#include "ahead_rows.hpp"
#include "fork_turns.hpp"
#include "huge_pages_allowed.hpp"
#include "region_turns.hpp"

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
  cow::RegionOptions options;
  options.huge_pages = true;
  Turns turns(rounds(11));
  turns.add(returned.ours, turns_of([=](std::uint64_t) {
              // A new one each time: the kernel splits a huge page once a part of it was protected.
              return time_snapshot(written_region(bytes, options));
            }),
            {&returned.our_samples});
  turns.add(returned.theirs, forks(bytes), {&returned.their_samples, &reaped.their_samples});
  turns.take();
  reaped.our_samples = returned.our_samples;
  return {.rows = {returned, reaped}};
}

}  // namespace cow_bench
