#include "mm/lease.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/refusal.hpp"
#include "mm/write_fault.hpp"
#include "os/last_words.hpp"

namespace cow {

namespace {

[[noreturn]] void refuse(const FaultOutcome& outcome) {
  if (outcome.left_hole) os::die_of("a page could not be mapped as it was", outcome.error);
  throw_refused(outcome.error, outcome.call(),
                "the pages of a lease could not be given frames of their own; the region's "
                "bytes are as they were");
}

/// Makes every page private, as a store to each would. The frames are allocated: a kernel that
/// writes to a page without a frame and without memory would say EFAULT.
void own_pages(AddressSpace& space, PageSpan span) {
  for (PageIndex page = span.first; page < span.last; ++page) {
    if (space.table().entry(page).writable()) continue;
    const FaultOutcome outcome = break_sharing(space, page);
    if (outcome.error != 0) refuse(outcome);
  }
  const auto frame_of = [&](PageIndex page) { return space.table().entry(page).frame(); };
  const auto is_beside = [&](PageIndex first, PageIndex page) {
    return frame_of(page) == frame_of(first).after(page - first);
  };
  for_each_stretch(
      span, [](PageIndex) { return true; }, is_beside,
      [&](PageSpan run) {
        const int error = space.family().frames().allocate({frame_of(run.first), run.count()});
        if (error != 0) refuse({error, FaultStep::allocate});
      });
}

void mark(AddressSpace& space, PageSpan span, bool leased) noexcept {
  for_each_leaf_part(span, [&](PageSpan part) {
    space.edit(*space.table().leaf_of(part.first), part, [&](PageIndex, Entry& entry) {
      entry.set_leased(leased);
      // The kernel's stores raise no fault: whether there were any, only the bytes can tell.
      entry.set_taken_along(true);
      entry.set_never_stored(false);
    });
  });
}

PageCount writable_pages(const AddressSpace& space) noexcept {
  PageCount pages{0};
  space.for_each_writable_leaf([&](const Leaf& leaf) { pages = pages + PageCount{leaf.writable}; });
  return pages;
}

/// Writable pages one after the other, as many as there are frames for.
struct Gathered {
  std::array<iovec, kTableEntries / 2> sources{};  ///< stretches; read-only pages lie between them
  std::size_t count = 0;
  PageIndex end;  ///< behind the last of the pages
};

// From `page` on. Precondition: the leaf has so many.
Gathered gather_writable(const AddressSpace& space, const Leaf& leaf, PageIndex page,
                         PageCount pages) noexcept {
  Gathered gathered;
  const PageGeometry geometry = space.family().geometry();
  const auto is_writable = [&](PageIndex at) { return leaf[at].writable(); };
  while (pages > PageCount{0}) {
    while (!is_writable(page)) ++page;
    const PageIndex first = page;
    do {
      ++page;
      pages = pages - kOnePage;
    } while (pages > PageCount{0} && page.entry_index() > 0 && is_writable(page));
    gathered.sources[gathered.count++] = {space.address(first), geometry.bytes(page - first)};
  }
  gathered.end = page;
  return gathered;
}

/// Gives `table`, which shares the leaf of `span` with `space`, a leaf of its own there with copies
/// of the writable pages. 0 or an errno value.
int copy_writable_pages(AddressSpace& space, PageTable& table, PageSpan span) noexcept {
  FrameStore& frames = space.family().frames();
  Leaf& leaf = table.own_leaf(span.first);
  for (PageIndex page = span.first; leaf.writable > 0;) {
    const FrameRun copies = frames.take_packed(PageCount{leaf.writable});
    if (copies.count == PageCount{0}) return ENOSPC;
    const Gathered gathered = gather_writable(space, leaf, page, copies.count);
    const int error = frames.fill_from(copies, {gathered.sources.data(), gathered.count});
    if (error != 0) {
      frames.drop_references(copies, 1);
      return error;
    }
    Frame next = copies.first;
    edit_leaf(leaf, page.entry_index(), (gathered.end - span.first).value, span.count().value,
              [&](std::size_t, Entry& entry) {
                if (!entry.writable()) return;
                frames.drop_references({entry.frame(), kOnePage}, 1);
                entry = Entry(next);
                entry.set_taken_along(true);
                next = next.after(kOnePage);
              });
    page = gathered.end;
  }
  return 0;
}

}  // namespace

void begin_lease(AddressSpace& space, PageSpan span) {
  const Section section(space.family());
  if (space.child_table() == nullptr) {
    space.child_table() = make_metadata<PageTable>(space.family().store(), space.family().pages());
  }
  if (!space.leases().reserve(space.leases().size() + 1)) {
    throw_refused(errno, "mmap", "a lease could not be written down");
  }
  own_pages(space, span);
  mark(space, span, true);
  space.leases().push(span);
}

void end_lease(AddressSpace& space, PageSpan span) noexcept {
  const Section section(space.family());
  MetadataArray<PageSpan>& leases = space.leases();
  leases.remove_at(
      static_cast<std::size_t>(std::find(leases.begin(), leases.end(), span) - leases.begin()));
  mark(space, span, false);
  for (const PageSpan other : leases) {
    const PageSpan both{std::max(span.first, other.first), std::min(span.last, other.last)};
    if (!both.empty()) mark(space, both, true);
  }
}

void share_table(AddressSpace& space, PageTable& empty) {
  const PageCount copies = writable_pages(space);
  if (copies == PageCount{0}) {
    empty.share(space.table());
    return;
  }
  space.family().ensure_reserve({.tables = 1, .packed_pages = copies.value});
  space.family().frames().order_recycled(copies);
  empty.share(space.table());
  int error = 0;
  space.for_each_writable_leaf([&](const Leaf& leaf) {
    if (error == 0) error = copy_writable_pages(space, empty, empty.span_of(leaf.group));
  });
  if (error == 0) return;
  empty.release();
  throw_refused(error, "pwrite", "the pages of a region that stay writable could not be copied");
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
  for (const PageSpan lease : space.leases()) {
    for (PageIndex page = lease.first; error == 0 && page < lease.last; ++page) {
      error = space.map_read_only(page);
    }
  }
  return error;
}

void renew_leases(AddressSpace& space) {
  for (const PageSpan lease : space.leases()) {
    own_pages(space, lease);
    mark(space, lease, true);
  }
}

}  // namespace cow
