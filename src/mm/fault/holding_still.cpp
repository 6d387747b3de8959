#include "mm/fault/holding_still.hpp"

#include "base/refusal.hpp"
#include "mm/fault/write_fault.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

constexpr const char* kRefused =
    "the pages of a lease could not be given frames of their own; the region's bytes are as they "
    "were";

}  // namespace

void own_pages(AddressSpace& space, PageSpan span) {
  for (PageIndex page = span.first; page < span.last; ++page) break_sharing(space, page, kRefused);
  const auto every_page = [](Entry) { return true; };
  for_each_frame_stretch(space.table(), span, every_page, [&](PageSpan run) {
    const Frame first = space.table().entry(run.first).frame();
    const int error = space.family().frames().allocate({first, run.count()});
    if (error != 0) throw_refused(error, "fallocate", kRefused);
  });
}

void mark_leased(AddressSpace& space, PageSpan span, bool leased) noexcept {
  space.edit(span, [&](PageIndex, Entry& entry) {
    entry.set_leased(leased);
    // The kernel's stores raise no fault: whether there were any, only the bytes can tell.
    entry.set_maybe_clean(true);
    entry.set_never_stored(false);
  });
}

void show_leased_pages(AddressSpace& space) {
  for (const PageSpan lease : space.leases()) {
    for (PageIndex page = lease.first; page < lease.last; ++page) {
      const int error = space.range().map(
          {page, page + kOnePage}, space.table().entry(page).frame(), os::Protection::read_only);
      if (error != 0) throw_refused(error, "mmap", "a leased page could not be mapped");
    }
  }
}

}  // namespace cow
