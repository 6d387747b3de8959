#include "mm/fault/discarding.hpp"

#include <cerrno>
#include <system_error>

#include "mm/fault/write_fault.hpp"
#include "mm/space/clearing.hpp"
#include "mm/space/rollback.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

/// How pages come to show zeros. As zero pages, whose next store faults like a first one; or where
/// they are, in frames that are cleared: no mapping changes, and what others show has to be copied
/// for that beforehand.
enum class Way { zero_pages, cleared_in_place };

class Discarding {
 public:
  Discarding(AddressSpace& space, PageSpan span) noexcept
      : space_(space), frames_(space.family().frames()), span_(span) {}

  [[nodiscard]] bool run() {
    const Found found = look();
    if (!found.frames) return false;
    space_.rollback().stop_following();
    if (cheapest_way(found) == Way::zero_pages && can_be_given_up(found) && map_zeros()) {
      return true;
    }
    own_frames();
    clear_frames(space_, span_);
    return false;
  }

 private:
  // Calls `use(PageIndex, Entry)` for each page with a frame.
  template <class Use>
  void for_each_frame(const Use& use) const {
    for_each_part_with_frames(space_.table(), span_, [&](PageSpan part) {
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
    if (found.leased || frames_.backing() == Backing::reserved) return Way::cleared_in_place;
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

  // By the rules of a fault; changes no byte. Here alone something can fail.
  void own_frames() {
    for_each_frame([&](PageIndex page, Entry) {
      space_.table().own_leaf(page);
      if (is_ours_alone(page, space_.table().entry(page))) return;
      break_sharing(space_, page,
                    "pages could not be discarded, and the region's bytes are as they were");
    });
  }

  AddressSpace& space_;
  FrameStore& frames_;
  PageSpan span_;
};

}  // namespace

bool show_zeros(AddressSpace& space, PageSpan span) { return Discarding(space, span).run(); }

}  // namespace cow
