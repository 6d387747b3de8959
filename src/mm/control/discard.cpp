#include "mm/control/discard.hpp"

#include "mm/space/copy_on_write.hpp"
#include "mm/space/leaving.hpp"
#include "mm/space/space_trace.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

void give_up_part(AddressSpace& space, PageSpan part) noexcept {
  const auto has_frame = [](Entry entry) { return !entry.is_zero_page(); };
  for_each_frame_stretch(space.table(), part, has_frame, [&](PageSpan run) {
    const Frame first = space.table().entry(run.first).frame();
    space.edit(run, [](PageIndex, Entry& entry) { entry = Entry{}; });
    space.family().frames().drop_references({first, run.count()}, 1);
  });
}

// Page tables that nobody shows any more, with what they reference, go to `gone`.
void give_up_pages(AddressSpace& space, PageSpan span, PageTable& gone) noexcept {
  FrameStore& frames = space.family().frames();
  const Recycling::NothingKept nothing_kept(frames.recycling());
  for_each_part_with_frames(space.table(), span, [&](PageSpan part) {
    const std::uint64_t leaf_index = part.first.leaf_index();
    const bool is_whole = part == space.table().span_of(leaf_index);
    if (is_whole && !frames.shows_file()) {
      space.hand_leaf_to(leaf_index, gone);
    } else {
      give_up_part(space, part);
    }
  });
}

}  // namespace

bool discard_pages(AddressSpace& space, PageSpan span) {
  Family& family = space.family();
  const TracedCall call;
  const os::SignalsMasked signals;
  KeptTable gone(family.store());
  {
    const Section section(family);
    if (family.past_limit().must_go_before(span)) return false;
    if (space.copy_on_write().show_zeros(space, span)) give_up_pages(space, span, gone.table);
    family.frames().limit().note_given_back();
    call.tell(space, {.kind = trace::EventKind::discarded, .pages = span});
    family.add(gone);
    family.begin_leaving(gone);
  }
  in_pieces(family, [&](Piece& piece) {
    const Recycling::NothingKept nothing_kept(family.frames().recycling());
    family.lock().assert_held();
    return family.leave(gone.leaving, piece);
  });
  return true;
}

}  // namespace cow
