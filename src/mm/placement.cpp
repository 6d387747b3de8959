#include "mm/placement.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace cow {

template <class Change>
void Placement::edit(PageSpan span, const Change& change) {
  PageTable& table = space_.table();
  for (PageIndex page = span.first; page < span.last;) {
    const PageIndex end = std::min(span.last, table.span_of(page.value / kTableEntries).last);
    space_.edit(table.own_leaf(page), {page, end}, change);
    page = end;
  }
}

void Placement::put(PageSpan span, const std::byte* bytes) {
  const Section section(space_.family());
  FrameStore& frames = space_.family().frames();
  edit(span, [&](PageIndex page, Entry& entry) {
    const Frame home = home_of(page);
    if (!entry.is_zero_page() && entry.frame() == home) return;
    if (!entry.is_zero_page()) frames.drop_references({entry.frame(), kOnePage}, 1);
    frames.take(home);
    entry = Entry(home);
  });
  if (const int error = frames.fill({home_of(span.first), span.count()}, bytes); error != 0) {
    throw_system_error(error, "pwrite", "no memory is left for the bytes of a new region");
  }
}

void Placement::put_zeros(PageSpan span) {
  const Section section(space_.family());
  FrameStore& frames = space_.family().frames();
  edit(span, [&](PageIndex, Entry& entry) {
    if (!entry.is_zero_page()) frames.drop_references({entry.frame(), kOnePage}, 1);
    entry = Entry{};
  });
}

void Placement::show() {
  const Section section(space_.family());
  space_.show_table(count_runs(space_.table()));
}

}  // namespace cow
