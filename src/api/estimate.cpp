// What a control call would take, from what it would touch and what such calls took lately.

#include <cow/region.hpp>

#include <algorithm>
#include <chrono>

#include "api/control_call.hpp"
#include "api/region_state.hpp"
#include "api/snapshot_state.hpp"
#include "base/error.hpp"
#include "mm/control/touched.hpp"
#include "mm/resources/costs.hpp"
#include "mm/space/copy_on_write.hpp"

namespace cow {

namespace {

std::chrono::nanoseconds rounded(double ns) {
  return std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(ns));
}

}  // namespace

CostEstimate Region::estimate() const {
  AddressSpace& space = state().space();
  check_callable(space.family());
  std::uint64_t touched = 0;
  std::uint64_t mappings = 0;
  {
    const Section section(space.family(), Section::Intent::look);
    touched = touched_by_sharing(space);
    mappings = space.mappings();
  }
  const Costs& now = space.family().copy_on_write().costs();
  const double sharing_ns = now.snapshot.estimate_ns(touched);
  const double cloning_ns =
      sharing_ns - now.snapshot.floor_ns() + now.clone.estimate_ns(mappings - 1);
  return {rounded(sharing_ns), rounded(cloning_ns)};
}

std::chrono::nanoseconds Region::estimate_restore(const Snapshot& snapshot) const {
  AddressSpace& space = state().space();
  detail::SnapshotState& to = snapshot.state();
  if (to.family().get() != &space.family()) {
    throw_invalid_argument(
        "Region::estimate_restore: the snapshot belongs to another family, and cannot be restored "
        "here");
  }
  check_callable(space.family());
  std::uint64_t touched = 0;
  {
    const Section section(space.family(), Section::Intent::look);
    touched = touched_by_restoring(space, to.table());
  }
  return rounded(space.family().copy_on_write().costs().restore.estimate_ns(touched));
}

std::chrono::nanoseconds Snapshot::estimate_drop() const {
  const std::size_t frames = reclaimable_bytes() / page_bytes();
  return rounded(state().family()->copy_on_write().costs().drop.estimate_ns(frames));
}

}  // namespace cow
