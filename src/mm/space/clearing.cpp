#include "mm/space/clearing.hpp"

#include <cerrno>

#include "mm/tables/table_runs.hpp"
#include "os/last_words.hpp"

namespace cow {

namespace {

void clear(AddressSpace& space, PageSpan span) noexcept {
  FrameStore& frames = space.family().frames();
  const Entry first = space.table().entry(span.first);
  const FrameRun run{first.frame(), span.count()};
  const bool keeps_frames = first.leased() || frames.backing() == Backing::reserved;
  bool cleared = keeps_frames ? frames.zero(run) == 0 : frames.clear(run);
  if (!cleared && first.leased()) {  // writable, and its frames are there: stores can do it, too
    os::clear_bytes(space.address(span.first), space.family().geometry().bytes(span.count()));
    cleared = true;
  }
  if (!cleared) os::die_of("pages could be discarded only in part", EIO);
  space.edit(span, [&](PageIndex, Entry& entry) {
    entry.set_maybe_clean(keeps_frames);  // no store was seen: the bytes alone can tell
    entry.set_never_stored(!keeps_frames);
    entry.set_heat(0);
  });
}

}  // namespace

void clear_frames(AddressSpace& space, PageSpan span) noexcept {
  for_each_part_with_frames(space.table(), span, [&](PageSpan part) {
    const auto entry = [&](PageIndex page) { return space.table().entry(page); };
    const auto has_frame = [&](PageIndex page) { return !entry(page).is_zero_page(); };
    const auto goes_on = [&](PageIndex first, PageIndex page) {
      return entry(page).frame() == entry(first).frame().after(page - first) &&
             entry(page).leased() == entry(first).leased();
    };
    for_each_stretch(part, has_frame, goes_on, [&](PageSpan run) { clear(space, run); });
  });
}

}  // namespace cow
