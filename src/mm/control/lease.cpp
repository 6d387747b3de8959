#include "mm/control/lease.hpp"

#include <algorithm>
#include <cerrno>

#include "base/refusal.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/space_trace.hpp"
#include "mm/space/table_sharing.hpp"

namespace cow {

void begin_lease(AddressSpace& space, PageSpan span) {
  const TracedCall call;
  const Section section(space.family());
  if (space.child_table() == nullptr) {
    space.child_table() = make_metadata<PageTable>(space.family().store());
  }
  if (!space.leases().reserve(space.leases().size() + 1)) {
    throw_refused(errno, "mmap", "a lease could not be written down");
  }
  space.copy_on_write().hold_still(space, span);
  space.leases().push(span);
  call.tell(space, {.kind = trace::EventKind::lease_begun, .pages = span});
}

void end_lease(AddressSpace& space, PageSpan span) noexcept {
  const TracedCall call;
  const Section section(space.family());
  MetadataArray<PageSpan>& leases = space.leases();
  leases.remove_at(
      static_cast<std::size_t>(std::find(leases.begin(), leases.end(), span) - leases.begin()));
  space.copy_on_write().let_go(space, span);
  call.tell(space, {.kind = trace::EventKind::lease_ended, .pages = span});
}

void prepare_leases_for_child(AddressSpace& space) {
  if (space.leases().empty()) return;
  share_table(space, *space.child_table());
  space.shown().for_child = space.child_table().get();
}

void release_child_table(AddressSpace& space) noexcept {
  if (space.shown().for_child == nullptr) return;
  space.shown().for_child = nullptr;
  space.child_table()->release();
}

void adopt_child_table(AddressSpace& space) noexcept {
  if (space.shown().for_child == nullptr) return;
  space.replace_table(*space.child_table());
  release_child_table(space);
}

}  // namespace cow
