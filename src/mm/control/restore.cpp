#include "mm/control/restore.hpp"

#include <atomic>

#include "mm/control/clone.hpp"
#include "mm/control/touched.hpp"
#include "mm/resources/costs.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/leaving.hpp"
#include "mm/space/space_trace.hpp"
#include "os/host.hpp"

namespace cow {

namespace {

// To count costs as much as a part of a restore: the first ones of a mechanism do it, and then
// some.
bool is_to_be_counted(const Costs& costs) noexcept {
  constexpr std::uint64_t kFirst = 16;
  constexpr std::uint64_t kEach = 8;
  static std::atomic<std::uint64_t> restores{0};
  if (costs.restore.notes() < kFirst) return true;
  return restores.fetch_add(1, std::memory_order_relaxed) % kEach == 0;
}

}  // namespace

std::optional<CountedRestore> restore_snapshot(AddressSpace& space, const PageTable& snapshot,
                                               LineageNode* of) {
  const TracedCall call;
  const Section section(space.family());
  std::optional<CountedRestore> counted;
  if (is_to_be_counted(space.copy_on_write().costs())) {
    counted = CountedRestore{.touched = touched_by_restoring(space, snapshot)};
  }
  const std::uint64_t begun_ns = counted ? os::monotonic_ns() : 0;
  space.prepare_to_be_kept();
  if (space.family().shows_more_than_one()) make_room_to_move(space.family());
  const std::uint64_t restored_before = space.rollback().counts().pages_restored.load();
  space.copy_on_write().restore(space, snapshot);
  look_at_limit(space.family());
  if (of != nullptr) space.family().lineage().come_from(space.lineage(), *of);
  if (counted) counted->took_ns = os::monotonic_ns() - begun_ns;
  if (!is_told(snapshot)) return counted;  // libcow's own: see HotPolicy
  call.tell(space, {.kind = trace::EventKind::restored,
                    .other = &snapshot,
                    .pages_copied = space.rollback().counts().pages_restored - restored_before});
  return counted;
}

}  // namespace cow
