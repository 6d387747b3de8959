#include "mm/control/placement.hpp"

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/refusal.hpp"
#include "mm/control/gap_filler.hpp"
#include "mm/tables/table_trace.hpp"

namespace cow {

Placement::Placement(AddressSpace& empty) noexcept : space_(empty), home_(empty.homes().first()) {
  const Section section(space_.family(), Section::Intent::look);
  tell_entries(space_.table(), Zeros::left_out);  // of a file there may be one already
}

void Placement::take_homes(PageSpan span) {
  FrameStore& frames = space_.family().frames();
  space_.edit(span, [&](PageIndex page, Entry& entry) {
    const Frame home = home_of(page);
    if (entry.frame() == home) return;
    frames.drop_reference(entry);
    frames.take(home);
    entry = Entry(home);
  });
}

void Placement::put(PageSpan span, const std::byte* bytes) {
  const Section section(space_.family());
  take_homes(span);
  FrameStore& frames = space_.family().frames();
  if (const int error = frames.fill({home_of(span.first), span.count()}, bytes); error != 0) {
    throw_refused(error, "pwrite", "the bytes of a new region could not be put in place");
  }
}

void Placement::put_checked(PageSpan span, std::span<const std::byte> bytes) {
  const Section section(space_.family());
  take_homes(span);
  FrameStore& frames = space_.family().frames();
  const FrameRun homes{home_of(span.first), span.count()};
  const bool has_rest = bytes.size() < space_.family().geometry().bytes(span.count());
  if (has_rest && !frames.show_zeros(homes)) {
    throw_refused(EIO, "fallocate", "the frames of a new region could not be cleared");
  }
  const int error = frames.fill_checked(homes, bytes);
  if (error == 0) return;
  if (error == EFAULT) {
    throw_system_error(EFAULT, "pwrite",
                       "the bytes of a new region cannot be read: they are not all mapped, or may "
                       "not be read; no region was made");
  }
  throw_refused(error, "pwrite", "the bytes of a new region could not be put in place");
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

// Pages without a leaf, up to the next one with, are alike: either of the file or zeros.
void Placement::end_file_at(PageIndex end) {
  if (end.value >= space_.table().pages().value) return;
  const Section section(space_.family());
  // A trace was told of a table without leaves: all of it was the file's.
  tell_zero_pages(space_.table(), {end, PageIndex{0} + space_.table().pages()});
  space_.edit({end, end + kOnePage}, [](PageIndex, Entry&) {});
}

void Placement::show() {
  const Section section(space_.family());
  GapFiller(space_, home_, false).show();
  call_.tell_made(space_, nullptr);
}

}  // namespace cow
