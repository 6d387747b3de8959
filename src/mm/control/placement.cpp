#include "mm/control/placement.hpp"

#include <algorithm>

#include "base/refusal.hpp"
#include "mm/control/gap_filler.hpp"

namespace cow {

Placement::Placement(AddressSpace& empty) noexcept : space_(empty), home_(empty.homes().first()) {
  const Section section(space_.family(), Section::Intent::look);
  tell_entries(space_.table(), Zeros::left_out);  // of a file there may be one already
}

void Placement::put(PageSpan span, const std::byte* bytes) {
  const Section section(space_.family());
  FrameStore& frames = space_.family().frames();
  space_.edit(span, [&](PageIndex page, Entry& entry) {
    const Frame home = home_of(page);
    if (entry.frame() == home) return;
    frames.drop_reference(entry);
    frames.take(home);
    entry = Entry(home);
  });
  if (const int error = frames.fill({home_of(span.first), span.count()}, bytes); error != 0) {
    throw_refused(error, "pwrite", "the bytes of a new region could not be put in place");
  }
}

// Where no leaf is and zeros are shown already, none is made: a run of zeros that is a few bytes in
// a file may name any number of pages.
void Placement::put_zeros(PageSpan span) {
  const Section section(space_.family());
  FrameStore& frames = space_.family().frames();
  const PageTable& table = space_.table();
  PageIndex zeros_end = span.first;  // up to here, pages without a leaf show zeros
  for (PageIndex page = span.first; page < span.last;) {
    const PageIndex end = std::min(span.last, table.span_of(page.leaf_index()).last);
    if (table.leaf_of(page) == nullptr) {
      if (zeros_end <= page) zeros_end = frames.end_of_untouched_zeros(page);
      const PageIndex far = std::min(span.last, table.end_of_missing(page));
      const PageIndex next = far <= zeros_end ? far : end;
      if (next <= zeros_end) {
        page = next;
        continue;
      }
    }
    space_.edit({page, end}, [&](PageIndex, Entry& entry) {
      frames.drop_reference(entry);
      entry = Entry{};
    });
    page = end;
  }
}

void Placement::show() {
  const Section section(space_.family());
  GapFiller(space_, home_, false).show();
  call_.tell_made(space_, nullptr);
}

}  // namespace cow
