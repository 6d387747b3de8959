#include "mm/control/discard.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <system_error>

#include "mm/fault/write_fault.hpp"
#include "mm/space/leaving.hpp"
#include "mm/tables/table_runs.hpp"
#include "mm/watch/showing.hpp"
#include "os/last_words.hpp"

namespace cow {

namespace {

/// How pages come to show zeros. As zero pages, whose next store faults like a first one; or where
/// they are, in frames that are cleared: no mapping changes, and what others show has to be copied
/// for that beforehand.
enum class Way { zero_pages, cleared_in_place };

class Discard {
 public:
  Discard(AddressSpace& space, PageSpan span) noexcept
      : space_(space), frames_(space.family().frames()), span_(span) {}

  /// Page tables that nobody shows any more, with what they reference, go to `gone`.
  void run(PageTable& gone) {
    if (space_.range().watch() != nullptr && !space_.range().is_filling()) {
      if (show_zeros()) give_up_pages(gone);
      return;
    }
    const Found found = look();
    if (!found.frames) return;
    space_.rollback().stop_following();
    if (cheapest_way(found) == Way::zero_pages && can_be_given_up(found) && map_zeros()) {
      give_up_pages(gone);
    } else {
      own_frames();
      clear_frames();
    }
  }

 private:
  // Calls `use(PageSpan)` for each part of the span that lies in one leaf and may show anything but
  // zero pages.
  template <class Use>
  void for_each_part(const Use& use) const {
    const PageTable& table = space_.table();
    for (PageIndex page = span_.first; page < span_.last;) {
      // A file's pages come before those that show zeros.
      if (table.leaf_of(page) == nullptr && table.entry(page).is_zero_page()) {
        page = table.end_of_missing(page);
        continue;
      }
      const PageIndex first = page;
      page = std::min(span_.last, table.span_of(first.leaf_index()).last);
      use(PageSpan{first, page});
    }
  }

  // Calls `use(PageIndex, Entry)` for each page with a frame.
  template <class Use>
  void for_each_frame(const Use& use) const {
    for_each_part([&](PageSpan part) {
      for (PageIndex page = part.first; page < part.last; ++page) {
        const Entry entry = space_.table().entry(page);
        if (!entry.is_zero_page()) use(page, entry);
      }
    });
  }

  /// What some pages of the span have.
  struct Found {
    bool frames = false;
    bool leased = false;
    bool shared = false;  ///< that others show or keep, too
  };
  [[nodiscard]] Found look() const noexcept {
    Found found;
    for_each_frame([&](PageIndex page, Entry entry) {
      found.frames = true;
      found.leased = found.leased || entry.leased();
      found.shared = found.shared || !is_ours_alone(page, entry);
    });
    return found;
  }

  [[nodiscard]] bool is_ours_alone(PageIndex page, Entry entry) const noexcept {
    return space_.table().owns_leaf(page) && frames_.is_sole_owner(entry);
  }

  // Reserved frames are kept anyway; to leased ones the kernel may be writing.
  [[nodiscard]] Way cheapest_way(const Found& found) const noexcept {
    if (found.leased || frames_.backing() == Backing::reserved || space_.range().is_filling())
      return Way::cleared_in_place;
    // To clear what others show or keep takes copies: mappings are spent on it while there are
    // some.
    const bool is_short =
        found.shared ? mapping_budget::spendable() < 2 : mapping_budget::shortage().any();
    return is_short && adds_mappings() ? Way::cleared_in_place : Way::zero_pages;
  }

  // What stores to the zero pages will need. Where that cannot be had, the other way needs none.
  [[nodiscard]] bool can_be_given_up(const Found& found) {
    try {
      space_.family().ensure_reserve({.tables = 1});
      // What is kept stays in the home: a page stored to again must find a slot in another.
      if (found.shared) space_.prepare_if_kept();
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  // Whether the region would be in more mappings with zero pages here.
  [[nodiscard]] bool adds_mappings() const noexcept {
    const PageTable& table = space_.table();
    const auto joins = [&](PageIndex page) {
      return table.entry(page - kOnePage).joins(table.entry(page));
    };
    const bool has_before = span_.first > PageIndex{0};
    const bool has_behind = span_.last < PageIndex{table.pages().value};
    int added = 0;
    if (has_before) added += table.entry(span_.first - kOnePage).is_zero_page() ? 0 : 1;
    if (has_behind) added += table.entry(span_.last).is_zero_page() ? 0 : 1;
    const PageIndex last = has_behind ? span_.last : span_.last - kOnePage;
    for (PageIndex page = has_before ? span_.first : span_.first + kOnePage;
         page <= last && added > 0; ++page) {
      if (!joins(page)) --added;
    }
    return added > 0;
  }

  // False if the kernel refused: then all is mapped as it was.
  [[nodiscard]] bool map_zeros() const noexcept {
    note_protection();
    const int error = space_.range().map_zeros(span_);
    if (error == 0) return true;
    if (error == ENOMEM) mapping_budget::note_exhausted();
    space_.must_show_again(span_, error);
    return false;
  }

  // Where the kernel copies: what it has copied is found only by looking, and does not matter.
  // False if there is no memory for page tables that say so: then the zeros are stored.
  [[nodiscard]] bool show_zeros() noexcept {
    Showing showing(space_);
    try {
      space_.family().ensure_reserve({.tables = 1});
    } catch (const std::exception&) {
      static_cast<void>(showing.store(span_, Entry{}));
      return false;
    }
    const auto is_leased = [&](PageIndex page) { return space_.is_leased(page); };
    const auto is_free = [&](PageIndex page) { return !space_.is_leased(page); };
    // A device may be writing to the very copies under a lease.
    for_each_stretch(span_, is_leased,
                     [&](PageSpan leased) { static_cast<void>(showing.store(leased, Entry{})); });
    for_each_stretch(span_, is_free,
                     [&](PageSpan free) { static_cast<void>(showing.show(free, Entry{})); });
    return true;
  }

  // ---- As zero pages. ---------------------------------------------------------------------------

  void give_up_pages(PageTable& gone) noexcept {
    const Recycling::NothingKept nothing_kept(frames_.recycling());
    for_each_part([&](PageSpan part) {
      const std::uint64_t leaf_index = part.first.leaf_index();
      const bool is_whole = part == space_.table().span_of(leaf_index);
      if (is_whole && !frames_.shows_file()) {
        space_.hand_leaf_to(leaf_index, gone);
      } else {
        give_up_part(part);
      }
    });
  }

  void give_up_part(PageSpan part) noexcept {
    const auto has_frame = [](Entry entry) { return !entry.is_zero_page(); };
    for_each_frame_stretch(space_.table(), part, has_frame, [&](PageSpan run) {
      const Frame first = space_.table().entry(run.first).frame();
      space_.edit(run, [](PageIndex, Entry& entry) { entry = Entry{}; });
      frames_.drop_references({first, run.count()}, 1);
    });
  }

  // ---- Where they are. --------------------------------------------------------------------------

  // By the rules of a fault; changes no byte. Here alone something can fail.
  void own_frames() {
    for_each_frame([&](PageIndex page, Entry) {
      space_.table().own_leaf(page);
      if (is_ours_alone(page, space_.table().entry(page))) return;
      break_sharing(space_, page,
                    "pages could not be discarded, and the region's bytes are as they were");
    });
  }

  void clear_frames() noexcept {
    for_each_part([&](PageSpan part) {
      const auto entry = [&](PageIndex page) { return space_.table().entry(page); };
      const auto has_frame = [&](PageIndex page) { return !entry(page).is_zero_page(); };
      const auto goes_on = [&](PageIndex first, PageIndex page) {
        return entry(page).frame() == entry(first).frame().after(page - first) &&
               entry(page).leased() == entry(first).leased();
      };
      for_each_stretch(part, has_frame, goes_on, [&](PageSpan run) { clear(run); });
    });
  }

  void clear(PageSpan span) noexcept {
    const Entry first = space_.table().entry(span.first);
    const FrameRun run{first.frame(), span.count()};
    const bool keeps_frames = first.leased() || frames_.backing() == Backing::reserved;
    bool cleared = keeps_frames ? frames_.zero(run) == 0 : frames_.clear(run);
    if (!cleared && first.leased()) {  // writable, and its frames are there: stores can do it, too
      os::clear_bytes(space_.address(span.first), space_.family().geometry().bytes(span.count()));
      cleared = true;
    }
    if (!cleared) os::die_of("pages could be discarded only in part", EIO);
    space_.edit(span, [&](PageIndex, Entry& entry) {
      entry.set_maybe_clean(keeps_frames);  // no store was seen: the bytes alone can tell
      entry.set_never_stored(!keeps_frames);
      entry.set_heat(0);
    });
  }

  AddressSpace& space_;
  FrameStore& frames_;
  PageSpan span_;
};

}  // namespace

void discard_pages(AddressSpace& space, PageSpan span) {
  Family& family = space.family();
  const os::SignalsMasked signals;
  KeptTable gone(family.store());
  {
    const Section section(family);
    Discard(space, span).run(gone.table);
    family.add(gone);
    family.begin_leaving(gone);
  }
  in_pieces(family, [&](Piece& piece) {
    const Recycling::NothingKept nothing_kept(family.frames().recycling());
    family.lock().assert_held();
    return family.leave(gone.leaving, piece);
  });
}

}  // namespace cow
