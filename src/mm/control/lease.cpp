#include "mm/control/lease.hpp"

#include <algorithm>
#include <cerrno>

#include "base/refusal.hpp"
#include "mm/control/table_sharing.hpp"
#include "mm/fault/write_fault.hpp"
#include "mm/tables/table_runs.hpp"
#include "mm/watch/filling.hpp"

namespace cow {

namespace {

constexpr const char* kRefused =
    "the pages of a lease could not be given frames of their own; the region's bytes are as they "
    "were";

/// Makes every page private, as a store to each would. The frames are allocated: a kernel that
/// writes to a page without a frame and without memory would say EFAULT.
void own_pages(AddressSpace& space, PageSpan span) {
  for (PageIndex page = span.first; page < span.last; ++page) break_sharing(space, page, kRefused);
  const auto every_page = [](Entry) { return true; };
  for_each_frame_stretch(space.table(), span, every_page, [&](PageSpan run) {
    const Frame first = space.table().entry(run.first).frame();
    const int error = space.family().frames().allocate({first, run.count()});
    if (error != 0) throw_refused(error, "fallocate", kRefused);
  });
}

void mark(AddressSpace& space, PageSpan span, bool leased) noexcept {
  space.edit(span, [&](PageIndex, Entry& entry) {
    entry.set_leased(leased);
    // The kernel's stores raise no fault: whether there were any, only the bytes can tell.
    entry.set_maybe_clean(true);
    entry.set_never_stored(false);
  });
}

}  // namespace

void begin_lease(AddressSpace& space, PageSpan span) {
  const Section section(space.family());
  if (space.child_table() == nullptr) {
    space.child_table() = make_metadata<PageTable>(space.family().store());
  }
  if (!space.leases().reserve(space.leases().size() + 1)) {
    throw_refused(errno, "mmap", "a lease could not be written down");
  }
  if (space.range().watch() != nullptr) {
    space.family().frames().check_files();
    if (space.range().is_filling()) end_filling(space);
    space.range().set_may_be_clean(true);
    space.range().have_copied(span);  // what a device is told to write to must be no frame
  } else {
    own_pages(space, span);
    mark(space, span, true);
  }
  space.leases().push(span);
}

void end_lease(AddressSpace& space, PageSpan span) noexcept {
  const Section section(space.family());
  MetadataArray<PageSpan>& leases = space.leases();
  leases.remove_at(
      static_cast<std::size_t>(std::find(leases.begin(), leases.end(), span) - leases.begin()));
  if (space.range().watch() != nullptr) {
    // What a device wrote since the last look, the next one is to find.
    space.range().set_may_be_clean(true);
    space.range().have_copied(span);
    return;
  }
  mark(space, span, false);
  for (const PageSpan other : leases) {
    const PageSpan both{std::max(span.first, other.first), std::min(span.last, other.last)};
    if (!both.empty()) mark(space, both, true);
  }
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

int show_leased_pages(AddressSpace& space) noexcept {
  int error = 0;
  if (space.range().watch() != nullptr) return error;
  for (const PageSpan lease : space.leases()) {
    for (PageIndex page = lease.first; error == 0 && page < lease.last; ++page) {
      error = space.range().map({page, page + kOnePage}, space.table().entry(page).frame(),
                                os::Protection::read_only);
    }
  }
  return error;
}

void renew_leases(AddressSpace& space) {
  if (space.range().watch() != nullptr) return;
  for (const PageSpan lease : space.leases()) {
    own_pages(space, lease);
    mark(space, lease, true);
  }
}

}  // namespace cow
