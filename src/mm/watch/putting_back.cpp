#include "mm/watch/putting_back.hpp"

#include "base/refusal.hpp"
#include "mm/tables/table_runs.hpp"
#include "mm/watch/filling.hpp"
#include "mm/watch/showing.hpp"
#include "mm/watch/stored_pages.hpp"
#include "os/last_words.hpp"

namespace cow {

namespace {

class PuttingBack {
 public:
  PuttingBack(AddressSpace& space, const PageTable& snapshot) noexcept
      : space_(space),
        frames_(space.family().frames()),
        rounds_(space.watched_rounds()),
        snapshot_(snapshot),
        showing_(space) {}

  void run() {
    if (!drop_all()) put_back_what_was_stored_to();
    show_what_differs();
  }

 private:
  [[nodiscard]] Entry then(PageIndex page) const noexcept { return snapshot_.entry(page); }

  // One call for everything, where what was stored to is not worth a look: the kernel finds it.
  [[nodiscard]] bool drop_all() noexcept {
    if (!space_.leases().empty() || !rounds_.may_drop_all()) return false;
    bool is_below = true;
    for_each_mapping(snapshot_, [&](PageSpan run, Entry first) {
      is_below = is_below && space_.range().is_below(run, first.frame());
    });
    if (!is_below || space_.range().drop_all_copies() != 0) return false;
    rounds_.forget_kept();
    return true;
  }

  void put_back_what_was_stored_to() {
    rounds_.begin_round();
    bool is_first = true;
    // A device may have written to them, unseen.
    for (const PageSpan lease : space_.leases()) space_.range().have_copied(lease);
    // Nothing is armed: what is dropped need not be, and what stays would fault for its next store.
    StoredPages stored(space_, space_.all_pages(), StoredPages::Then::leave);
    for (PageSpan span = stored.next(); !span.empty(); span = stored.next()) {
      for_each_leaf_part(span, [&](PageSpan part) { put_back(part); });
      is_first = false;
    }
    if (stored.error() != 0 && is_first) {
      throw_refused(stored.error(), "ioctl", "a region could not be restored");
    }
    end_of(stored.error());
    rounds_.end_round();
  }

  void put_back(PageSpan stored) noexcept {
    PageSpan cold{stored.first, stored.first};
    for (PageIndex page = stored.first; page < stored.last; ++page) {
      if (!put_back_kept(page)) {
        if (!cold.empty() && !then(page - kOnePage).frames_join(then(page))) finish(cold);
        cold.last = page + kOnePage;
        continue;
      }
      finish(cold);
      cold = {page + kOnePage, page + kOnePage};
    }
    finish(cold);
    update(stored);
  }

  // Whether the page stays the region's own copy.
  [[nodiscard]] bool put_back_kept(PageIndex page) noexcept {
    HotPage* const known = rounds_.was_kept(page);
    if (known == nullptr && !rounds_.note_store(page)) return false;
    HotPage hot = known == nullptr ? HotPage{page} : *known;
    const std::byte* const past = bytes_then(page);
    if (past == nullptr && !then(page).shows_zeros()) return false;
    const bool changed =
        cow::put_back(space_.address(page), past, space_.family().geometry().page_bytes());
    RollbackCounts::add(space_.rollback().counts().pages_compared, 1);
    RollbackCounts::add(space_.rollback().counts().pages_restored, changed ? 1 : 0);
    hot.leased = space_.is_leased(page);
    hot.note_round(changed);
    if (hot.is_idle() || !rounds_.keep(hot)) return false;
    space_.range().set_may_be_clean(true);
    return true;
  }

  [[nodiscard]] const std::byte* bytes_then(PageIndex page) noexcept {
    const Entry past = then(page);
    if (past.shows_zeros() || frames_.is_of_users_file(past.frame())) return nullptr;
    return frames_.readable(past.frame());
  }

  void finish(PageSpan& cold) noexcept {
    if (!cold.empty()) {
      RollbackCounts::add(space_.rollback().counts().pages_restored, cold.count().value);
      show(cold);
    }
    cold.first = cold.last;
  }

  void show(PageSpan span) noexcept {
    const Entry first = then(span.first);
    for (PageIndex page = span.first; page < span.last; ++page) {
      if (!space_.is_leased(page)) continue;
      // A device may be writing to this very copy.
      end_of(showing_.store(span, first));
      space_.range().set_may_be_clean(true);
      return;
    }
    end_of(showing_.show(span, first));
    if (!space_.range().is_below(span, first.frame())) space_.range().set_may_be_clean(true);
  }

  static void end_of(int error) noexcept {
    if (error != 0) os::die_of("a region could be restored only in part", error);
  }

  void show_what_differs() noexcept {
    for_each_differing_leaf(space_.table(), snapshot_, [&](std::uint64_t leaf_index) {
      const PageSpan whole = space_.table().span_of(leaf_index);
      const auto differs = [&](PageIndex page) {
        return space_.table().entry(page).frame() != then(page).frame();
      };
      const auto joins = [&](PageIndex, PageIndex page) {
        return then(page - kOnePage).frames_join(then(page));
      };
      for_each_stretch(whole, differs, joins, [&](PageSpan span) { show(span); });
      space_.adopt_leaf(leaf_index, snapshot_);
    });
  }

  // What was put back already is not to be shown once more.
  void update(PageSpan span) noexcept {
    const std::uint64_t leaf_index = span.first.leaf_index();
    if (space_.table().leaf_at(leaf_index) == snapshot_.leaf_at(leaf_index)) return;
    space_.edit(span,
                [&](PageIndex page, Entry& entry) { replace_entry(frames_, entry, then(page)); });
  }

  AddressSpace& space_;
  FrameStore& frames_;
  WatchedRounds& rounds_;
  const PageTable& snapshot_;
  Showing showing_;
};

}  // namespace

void restore_watched(AddressSpace& space, const PageTable& snapshot) {
  space.family().ensure_reserve({.tables = 1});
  if (space.range().is_filling()) end_filling(space);
  PuttingBack(space, snapshot).run();
}

}  // namespace cow
