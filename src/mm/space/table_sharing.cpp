#include "mm/space/table_sharing.hpp"

#include <array>
#include <cerrno>

#include "base/check.hpp"
#include "base/refusal.hpp"
#include "mm/tables/table_trace.hpp"

namespace cow {

namespace {

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
  COW_CHECK(pages.value <= leaf.writable);
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
    EntryChanges changes(table);
    edit_leaf(leaf, {page, gathered.end}, span, [&](PageIndex at, Entry& entry) {
      if (!entry.writable()) return;
      const Entry before = entry;
      frames.drop_reference(entry);
      entry = Entry(next);
      entry.set_maybe_clean(true);
      next = next.after(kOnePage);
      changes.note(at, before, entry);
    });
    page = gathered.end;
  }
  return 0;
}

}  // namespace

PageCount share_table(AddressSpace& space, PageTable& empty) {
  space.family().lock().assert_held();
  const PageCount copies = writable_pages(space);
  if (copies == PageCount{0}) {
    empty.share(space.table());
    return copies;
  }
  space.family().ensure_reserve({.tables = 1, .packed_pages = copies.value});
  space.family().frames().recycling().order(copies);
  empty.share(space.table());
  int error = 0;
  space.for_each_writable_leaf([&](const Leaf& leaf) {
    if (error == 0) error = copy_writable_pages(space, empty, empty.span_of(leaf.index));
  });
  if (error == 0) return copies;
  empty.release();
  if (empty.trace_mark().number != 0) begin_telling(empty);  // anew
  throw_refused(error, "pwrite", "the pages of a region that stay writable could not be copied");
}

}  // namespace cow
