#include "mm/control/restore.hpp"

#include "mm/control/clone.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/space_trace.hpp"

namespace cow {

void restore_snapshot(AddressSpace& space, const PageTable& snapshot) {
  const TracedCall call;
  const Section section(space.family());
  space.prepare_to_be_kept();
  if (space.family().shows_more_than_one()) make_room_to_move(space.family());
  const std::uint64_t restored_before = space.rollback().counts().pages_restored.load();
  space.copy_on_write().restore(space, snapshot);
  if (!is_told(snapshot)) return;  // libcow's own: see HotPolicy
  call.tell(space, {.kind = trace::EventKind::restored,
                    .other = &snapshot,
                    .pages_copied = space.rollback().counts().pages_restored - restored_before});
}

}  // namespace cow
