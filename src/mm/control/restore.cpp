#include "mm/control/restore.hpp"

#include "mm/control/clone.hpp"
#include "mm/space/copy_on_write.hpp"

namespace cow {

void restore_snapshot(AddressSpace& space, const PageTable& snapshot) {
  const Section section(space.family());
  space.prepare_to_be_kept();
  if (space.family().shows_more_than_one()) make_room_to_move(space.family());
  space.copy_on_write().restore(space, snapshot);
}

}  // namespace cow
