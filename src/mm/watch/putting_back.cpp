#include "mm/watch/putting_back.hpp"

#include <cerrno>
#include <exception>

#include "base/refusal.hpp"
#include "mm/resources/metadata_array.hpp"
#include "mm/tables/table_runs.hpp"
#include "mm/watch/filling.hpp"
#include "mm/watch/past_bytes.hpp"
#include "mm/watch/showing.hpp"
#include "mm/watch/stored_pages.hpp"
#include "os/last_words.hpp"

namespace cow {

namespace {

// First all that the kernel can refuse: to find what was stored to, and to have at hand what it is
// to hold. Then the changes, which go well whatever it refuses: what can neither be dropped nor be
// mapped is stored.
class PuttingBack {
 public:
  PuttingBack(AddressSpace& space, const PageTable& snapshot) noexcept
      : space_(space),
        frames_(space.family().frames()),
        rounds_(space.watched().rounds()),
        snapshot_(snapshot),
        past_(frames_, snapshot),
        showing_(space) {}

  void run() {
    for_each_span_that_differs([&](PageSpan span) { need(span); });
    bool drops_all = may_drop_all();
    if (!drops_all) find_what_was_stored_to();
    past_.read();
    if (drops_all && space_.watched().drop_all_copies() != 0) {
      drops_all = false;
      find_rest();
    }
    drops_all ? rounds_.forget_kept() : put_back_what_was_stored_to();
    show_what_differs();
  }

 private:
  static constexpr const char* kRefused = "a region could not be restored";

  [[nodiscard]] Entry then(PageIndex page) const noexcept { return snapshot_.entry(page); }

  // One call for everything, where what was stored to is not worth a look: the kernel finds it.
  [[nodiscard]] bool may_drop_all() noexcept {
    if (!space_.leases().empty() || !rounds_.may_drop_all()) return false;
    bool is_below = true;
    for_each_mapping(snapshot_, [&](PageSpan run, Entry first) {
      is_below = is_below && space_.watched().is_below(run, first.frame());
    });
    return is_below;
  }

  // What shows a user's file again once its copies are dropped need not be read beforehand.
  void need(PageSpan span) {
    for (PageIndex page = span.first; page < span.last; ++page) {
      const Frame past = then(page).frame();
      const bool is_in_file = past != Frame{} && frames_.is_of_users_file(past);
      if (is_in_file && space_.watched().is_below({page, page + kOnePage}, past)) continue;
      past_.need(page);
    }
  }

  void find_what_was_stored_to() {
    // A device may have written to them, unseen.
    for (const PageSpan lease : space_.leases()) space_.watched().have_copied(lease);
    // What is dropped need not be armed, and what stays would fault for its next store.
    StoredPages stored(space_, space_.all_pages(), StoredPages::Then::leave_stored);
    for (PageSpan span = stored.next(); !span.empty(); span = stored.next()) {
      need(span);
      if (!found_.reserve(found_.size() + 1)) throw_refused(errno, "mmap", kRefused);
      found_.push(span);
    }
    if (stored.error() != 0) throw_refused(stored.error(), "ioctl", kRefused);
  }

  // Some copies are dropped already: there is no way back.
  void find_rest() noexcept {
    try {
      find_what_was_stored_to();
      past_.read();
    } catch (const std::exception&) {
      os::die_of("a region could be restored only in part", errno);
    }
  }

  void put_back_what_was_stored_to() noexcept {
    rounds_.begin_round();
    for (const PageSpan span : found_) {
      for_each_leaf_part(span, [&](PageSpan part) { put_back(part); });
    }
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
    const std::byte* const past = past_.of(page);
    if (past == nullptr && !then(page).shows_zeros()) return false;
    const bool changed =
        cow::put_back(space_.address(page), past, space_.family().geometry().page_bytes());
    RollbackCounts::add(space_.rollback().counts().pages_compared, 1);
    RollbackCounts::add(space_.rollback().counts().pages_restored, changed ? 1 : 0);
    hot.leased = space_.is_leased(page);
    hot.note_round(changed);
    if (hot.is_idle() || !rounds_.keep(hot)) return false;
    space_.watched().set_may_be_clean(true);
    return true;
  }

  void finish(PageSpan& cold) noexcept {
    if (!cold.empty()) {
      RollbackCounts::add(space_.rollback().counts().pages_restored, cold.count().value);
      show(cold);
    }
    cold.first = cold.last;
  }

  void show(PageSpan span) noexcept {
    // A device may be writing to this very copy.
    bool is_leased = false;
    for (PageIndex page = span.first; page < span.last && !is_leased; ++page) {
      is_leased = space_.is_leased(page);
    }
    const bool better_stored = !is_leased && are_better_stored(span);
    if (!is_leased && !better_stored && showing_.map(span, then(span.first))) return;
    for (PageIndex page = span.first; page < span.last; ++page) store(page);
    if (!better_stored) {
      space_.watched().set_may_be_clean(true);
    } else if (!arms_leaf_) {
      space_.watched().arm(span);
    }
  }

  // Where the kernel has copied many pages already, to drop a few costs more than to store what
  // they are to hold: a call, and a copy for the next store. Not where that would have to be read.
  [[nodiscard]] bool are_better_stored(PageSpan span) noexcept {
    constexpr PageCount kMany{kTableEntries / 4};
    if (span.count() >= Showing::kMappedPages || !space_.watched().are_known_copies(span)) {
      return false;
    }
    for (PageIndex page = span.first; page < span.last; ++page) {
      if (!then(page).shows_zeros() && past_.of(page) == nullptr) return false;
    }
    const PageSpan around = space_.table().span_of(span.first.leaf_index());
    return space_.watched().known_copies(around) >= kMany;
  }

  // Whether it holds this already or not: another frame may be below, which may change.
  void store(PageIndex page) noexcept {
    const std::size_t bytes = space_.family().geometry().page_bytes();
    space_.watched().note_copies({page, page + kOnePage});
    if (then(page).shows_zeros()) return os::clear_bytes(space_.address(page), bytes);
    const std::byte* const past = past_.of(page);
    if (past != nullptr) return os::copy_bytes(space_.address(page), past, bytes);
    const int error = showing_.store({page, page + kOnePage}, then(page));
    if (error != 0) os::die_of("a file's pages could be restored only in part", error);
  }

  template <class Use>
  void for_each_span_that_differs(const Use& use) const {
    for_each_differing_leaf(space_.table(), snapshot_, [&](std::uint64_t leaf_index) {
      for_each_span_that_differs(leaf_index, use);
    });
  }
  template <class Use>
  void for_each_span_that_differs(std::uint64_t leaf_index, const Use& use) const {
    const auto differs = [&](PageIndex page) {
      return space_.table().entry(page).frame() != then(page).frame();
    };
    const auto joins = [&](PageIndex, PageIndex page) {
      return then(page - kOnePage).frames_join(then(page));
    };
    for_each_stretch(space_.table().span_of(leaf_index), differs, joins, use);
  }

  void show_what_differs() noexcept {
    for_each_differing_leaf(space_.table(), snapshot_, [&](std::uint64_t leaf_index) {
      const PageSpan leaf = space_.table().span_of(leaf_index);
      arms_leaf_ = differs_in_many(leaf_index) && space_.leases().empty();
      if (arms_leaf_) space_.watched().disarm(leaf);
      for_each_span_that_differs(leaf_index, [&](PageSpan span) { show(span); });
      space_.adopt_leaf(leaf_index, snapshot_);
      if (arms_leaf_) space_.watched().arm(leaf);  // all of it holds what the table says now
    });
  }

  // To store to an armed page faults, and takes as long as to disarm a few dozen together.
  [[nodiscard]] bool differs_in_many(std::uint64_t leaf_index) noexcept {
    constexpr std::uint64_t kMany = kTableEntries / 16;
    PageCount stored{0};
    for_each_span_that_differs(leaf_index, [&](PageSpan span) {
      if (are_better_stored(span)) stored = stored + span.count();
    });
    return stored.value >= kMany;
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
  PastBytes past_;
  MetadataArray<PageSpan, 64> found_;  ///< what was stored to, in ascending order
  Showing showing_;
  bool arms_leaf_ = false;  ///< what is shown in this leaf is disarmed and armed together
};

}  // namespace

void restore_watched(AddressSpace& space, const PageTable& snapshot) {
  space.family().ensure_reserve({.tables = 1});
  if (space.watched().is_filling()) end_filling(space);
  PuttingBack(space, snapshot).run();
}

}  // namespace cow
