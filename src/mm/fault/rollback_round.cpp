// A restore to the snapshot of the last restore, where only faults have come between. Nothing but
// writable pages can differ then, and what is done is bounded by what the round stored: a page that
// a fault made private is copied back and goes back to the snapshot, hot ones are compared.

#include <cerrno>
#include <span>

#include "mm/fault/copy_out.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/space/address_space.hpp"
#include "mm/space/rollback.hpp"
#include "mm/space/space_trace.hpp"
#include "mm/tables/table_runs.hpp"
#include "os/last_words.hpp"

namespace cow {

namespace {

class RollbackRound {
 public:
  RollbackRound(AddressSpace& space, const PageTable& snapshot) noexcept
      : space_(space),
        frames_(space.family().frames()),
        snapshot_(snapshot),
        list_(space.rollback()),
        holes_(frames_),
        short_of_mappings_(mapping_budget::shortage().any()) {}

  void run() noexcept {
    list_.begin_round();
    space_.for_each_writable_leaf([&](Leaf& leaf) { put_back_leaf(leaf); });
    share_where_they_are();
    list_.end_round(snapshot_, space_.family().generation());
  }

 private:
  // Without mappings to spare, so many may be tried.
  static constexpr std::uint64_t kFewRemaps = 16;
  // Eight zeros that are all stored to in a round cost as much as holes, with a fault each, as
  // shown as zeros, in two mappings more; where one of them is, half. Sixteen cost more as holes.
  static constexpr PageCount kFewZeros{8};

  [[nodiscard]] Entry then(PageIndex page) const noexcept { return snapshot_.entry(page); }
  [[nodiscard]] std::size_t bytes(PageCount pages) const noexcept {
    return space_.family().geometry().bytes(pages);
  }

  void put_back_leaf(Leaf& leaf) noexcept {
    leaf.block_faults.fill(0);
    const bool had_holes = leaf.any_never_stored;
    if (had_holes) learn_what_was_touched(leaf);
    const PageSpan span = space_.table().span_of(leaf.index);
    for (PageIndex page = span.first; page < span.last; ++page) {
      if (leaf[page].writable()) put_back_page(leaf, page);
    }
    finish_copies(leaf);
    finish_remaps(leaf);
    if (had_holes) leaf.find_never_stored();
  }

  // Pages of an open window of zeros that were stored to have a frame now.
  void learn_what_was_touched(Leaf& leaf) noexcept {
    for (Entry& entry : leaf.entries) {
      if (!entry.writable() || !entry.never_stored() || holes_.is_hole(entry.frame())) continue;
      entry.set_never_stored(false);
      entry.set_maybe_clean(true);
    }
  }

  void put_back_page(Leaf& leaf, PageIndex page) noexcept {
    const Entry now = leaf[page];
    HotPage* const known = list_.was_hot(page);
    if (now.never_stored()) {
      can_be_hole(leaf, page) ? give_back_where_it_is(leaf, page) : remap(leaf, page);
    } else if (known != nullptr || now.leased()) {
      HotPage hot = known != nullptr ? *known : HotPage{page};
      hot.leased = now.leased();
      put_back_hot(leaf, hot);
    } else if (list_.note_store(page)) {
      overwrite_and_keep(leaf, HotPage{page});
    } else if (can_share(leaf, page)) {
      copy_back(leaf, page);
    } else {
      give_back_moved_or_zero(leaf, page);
    }
  }

  void give_back_moved_or_zero(Leaf& leaf, PageIndex page) noexcept {
    if (can_be_hole(leaf, page) && frames_.clear({leaf[page].frame(), kOnePage})) {
      give_back_where_it_is(leaf, page);
    } else {
      remap(leaf, page);
    }
  }

  // ---- Pages that stay writable. ----------------------------------------------------------------

  void put_back_hot(Leaf& leaf, HotPage hot) noexcept {
    const std::byte* const past = bytes_then(hot.page);
    if (past == nullptr && !then(hot.page).shows_zeros()) {
      overwrite_and_keep(leaf, hot);
      return;
    }
    const bool changed = put_back(space_.address(hot.page), past, bytes(kOnePage));
    RollbackCounts::add(list_.counts().pages_compared, 1);
    RollbackCounts::add(list_.counts().pages_restored, changed ? 1 : 0);
    hot.note_round(changed);
    // Each may split a mapping in three.
    if (!hot.is_idle() || short_of_mappings_) {
      keep(leaf, hot);
    } else if (can_share(leaf, hot.page)) {
      give_back_where_it_is(leaf, hot.page);
    } else {
      give_back_moved_or_zero(leaf, hot.page);
    }
  }

  // Where the snapshot's bytes of a page can be read now. Null if they are zeros, or cannot be.
  const std::byte* bytes_then(PageIndex page) noexcept {
    const Entry past = then(page);
    if (past.shows_zeros()) return nullptr;
    const bool of_users_file = frames_.is_of_users_file(past.frame());
    const std::byte* const mapped = of_users_file ? nullptr : frames_.readable(past.frame());
    if (mapped != nullptr) return mapped;
    // A page that somebody cuts off a file would be SIGBUS with all signals masked.
    list_.need_tables();
    const int error = frames_.read({past.frame(), kOnePage}, list_.buffer());
    return error == 0 ? list_.buffer() : nullptr;
  }

  void overwrite_and_keep(Leaf& leaf, const HotPage& hot) noexcept {
    if (overwrite({hot.page, hot.page + kOnePage})) {
      keep(leaf, hot);
    } else {
      show_instead(leaf, hot.page);
    }
  }

  void keep(Leaf& leaf, HotPage hot) noexcept {
    finish_remaps(leaf);
    const Entry past = then(hot.page);
    const bool by_address = !past.shows_zeros() && !frames_.is_of_users_file(past.frame());
    hot.past = by_address ? frames_.readable(past.frame()) : nullptr;
    if (hot.past == nullptr && !past.shows_zeros()) list_.need_tables();
    if (leaf[hot.page].never_stored()) {
      list_.need_tables();  // a look at it would take a frame, and could fail
    } else {
      // The bytes are the snapshot's, the frame is not.
      leaf[hot.page].set_maybe_clean(true);
    }
    list_.keep(hot);
  }

  // False if the snapshot's bytes cannot be read.
  [[nodiscard]] bool overwrite(PageSpan span) noexcept {
    RollbackCounts::add(list_.counts().pages_restored, span.count().value);
    const Entry past = then(span.first);
    const Frame live = space_.table().entry(span.first).frame();
    if (past.shows_zeros()) {
      return frames_.zero({live, span.count()}) == 0;
    }
    return space_.overwrite(span, past.frame()) == 0;
  }

  // Shows the snapshot's frame, where its bytes could not be read.
  void show_instead(Leaf& leaf, PageIndex page) noexcept {
    finish_remaps(leaf);
    if (leaf[page].leased() || !show({page, page + kOnePage})) {
      os::die_of("a region could be restored only in part", EIO);
    }
    take(leaf, {page, page + kOnePage});
  }

  // ---- Pages that the snapshot takes over, or gets back, where they are. ------------------------

  [[nodiscard]] bool can_share(const Leaf& leaf, PageIndex page) const noexcept {
    const Entry past = then(page);
    return !past.shows_zeros() && can_merge_back(space_, leaf, page, past.frame());
  }

  // A page of zeros among pages with frames, in a mapping with them: a hole there shows zeros, too,
  // and takes no mapping of its own, neither here nor in what is made of the snapshot.
  [[nodiscard]] bool can_be_hole(const Leaf& leaf, PageIndex page) noexcept {
    const Leaf* const theirs = snapshot_.leaf_at(leaf.index);
    if (!then(page).is_zero_page() || theirs == nullptr) return false;
    if (page >= zeros_.last) look_at_zeros(leaf, page);
    return zeros_are_among_frames_ && !space_.family().shown_elsewhere(*theirs, space_.shown());
  }

  // Many zeros are better shown as such: one fault opens them all again.
  void look_at_zeros(const Leaf& leaf, PageIndex first) noexcept {
    const PageSpan span = space_.table().span_of(leaf.index);
    const auto goes_on = [&](PageIndex page) {
      return leaf[page].writable() && then(page).is_zero_page() &&
             leaf[page - kOnePage].frames_join(leaf[page]);
    };
    zeros_ = {first, first + kOnePage};
    while (zeros_.last < span.last && goes_on(zeros_.last)) ++zeros_.last;
    const bool joins_before = first > span.first && leaf[first - kOnePage].frames_join(leaf[first]);
    const bool joins_behind =
        zeros_.last < span.last && leaf[zeros_.last - kOnePage].frames_join(leaf[zeros_.last]);
    zeros_are_among_frames_ = zeros_.count() <= kFewZeros && (joins_before || joins_behind);
  }

  void give_back_where_it_is(Leaf& leaf, PageIndex page) noexcept {
    finish_copies(leaf);
    list_.returning().push(page);
  }

  // Frames side by side are read by one call.
  void copy_back(Leaf& leaf, PageIndex page) noexcept {
    const bool goes_on = !copies_.empty() && copies_.last == page &&
                         then(page).frame() == then(page - kOnePage).frame().after(kOnePage);
    if (!goes_on) {
      finish_copies(leaf);
      copies_.first = page;
    }
    copies_.last = page + kOnePage;
  }

  void finish_copies(Leaf& leaf) noexcept {
    if (copies_.empty()) return;
    const bool copied = overwrite(copies_);
    for (PageIndex page = copies_.first; page < copies_.last; ++page) {
      if (copied) {
        list_.returning().push(page);
      } else {
        show_instead(leaf, page);
      }
    }
    copies_ = {};
  }

  // One call for all pages between two that stay writable: passing over pages that are read-only
  // already costs the kernel less than another call, if they are not in many mappings.
  void share_where_they_are() noexcept {
    constexpr PageCount kCloseTogether{4 * kTableEntries};
    const MetadataArray<PageIndex>& returning = list_.returning();
    const MetadataArray<HotPage>& hot = list_.hot_pages();
    if (returning.empty()) return;
    note_protection();
    const bool all_are_close = space_.mappings() <= 4 * returning.size() + kFewRemaps;
    std::size_t next_hot = 0;
    for (std::size_t begin = 0; begin < returning.size();) {
      while (next_hot < hot.size() && hot[next_hot].page < returning[begin]) ++next_hot;
      const PageIndex barrier =
          next_hot < hot.size() ? hot[next_hot].page : PageIndex{space_.table().pages().value};
      std::size_t end = begin + 1;
      while (end < returning.size() && returning[end] < barrier &&
             (all_are_close || returning[end] <= returning[end - 1] + kCloseTogether)) {
        ++end;
      }
      share_stretch({returning.begin() + begin, end - begin});
      begin = end;
    }
  }

  void share_stretch(std::span<const PageIndex> pages) noexcept {
    const PageSpan hull{pages.front(), pages.back() + kOnePage};
    const int error = space_.range().protect(hull, os::Protection::read_only);
    for (std::size_t begin = 0; begin < pages.size();) {
      const PageIndex first = pages[begin];
      const PageIndex leaf_end = space_.table().span_of(first.leaf_index()).last;
      std::size_t end = begin + 1;
      while (end < pages.size() && pages[end] == pages[end - 1] + kOnePage &&
             pages[end] < leaf_end) {
        ++end;
      }
      const PageSpan span{first, first + PageCount{end - begin}};
      error == 0 ? hand_over(span) : leave_writable(span);
      begin = end;
    }
  }

  void hand_over(PageSpan span) noexcept {
    Leaf& leaf = *space_.table().leaf_of(span.first);
    space_.edit(leaf, span, [&](PageIndex page, Entry& entry) {
      entry.set_writable(false);
      if (!then(page).is_zero_page()) return;
      entry.set_never_stored(true);
      entry.set_heat(0);
      share_hole(page, entry);
    });
    for (PageIndex page = span.first; page < span.last; ++page) {
      const Frame past = then(page).frame();
      if (past != space_.table().entry(page).frame()) merge_back(space_, leaf, page, past);
    }
    if (trace::current() != 0) tell_handed_over(span);
  }

  void tell_handed_over(PageSpan span) noexcept {
    const auto every_page = [](Entry) { return true; };
    for_each_frame_stretch(space_.table(), span, every_page, [&](PageSpan run) {
      tell_snapshots_show(space_.family(), run, space_.table().entry(run.first).frame());
    });
  }

  void share_hole(PageIndex page, Entry hole) noexcept {
    const PageSpan whole = snapshot_.span_of(page.leaf_index());
    edit_leaf(*snapshot_.leaf_of(page), {page, page + kOnePage}, whole,
              [&](PageIndex, Entry& entry) { entry = hole; });
    frames_.add_references({hole.frame(), kOnePage}, 1);
  }

  // The kernel may have protected a part before it refused. Where even this fails, the next store
  // makes its page writable again. The next round tries once more.
  void leave_writable(PageSpan span) noexcept {
    static_cast<void>(space_.range().make_writable(span));
    Leaf& leaf = *space_.table().leaf_of(span.first);
    for (PageIndex page = span.first; page < span.last; ++page) {
      leaf[page].set_maybe_clean(true);
    }
    list_.need_tables();
  }

  // ---- Pages that show the snapshot's frame again: others see it, or it is none. ----------------

  void remap(Leaf& leaf, PageIndex page) noexcept {
    const bool goes_on =
        !remaps_.empty() && remaps_.last == page && then(page - kOnePage).joins(then(page));
    if (!goes_on) {
      finish_remaps(leaf);
      remaps_.first = page;
    }
    remaps_.last = page + kOnePage;
  }

  void finish_remaps(Leaf& leaf) noexcept {
    if (remaps_.empty()) return;
    const PageSpan span = remaps_;
    remaps_ = {};
    // Each can add two mappings.
    const bool possible = mapping_budget::spendable() >= 2 || few_remaps_ > 0;
    if (mapping_budget::spendable() < 2 && few_remaps_ > 0) --few_remaps_;
    if (possible && show(span)) {
      take(leaf, span);
      return;
    }
    for (PageIndex page = span.first; page < span.last; ++page) {
      if (!leaf[page].never_stored() && !overwrite({page, page + kOnePage})) {
        os::die_of("a region could be restored only in part", EIO);
      }
      keep(leaf, HotPage{page});
    }
  }

  // False if the kernel refused: then all is mapped as it was.
  [[nodiscard]] bool show(PageSpan span) noexcept {
    note_protection();
    const int error = space_.show(span, then(span.first));
    if (error != 0) space_.must_show_again(span, error);
    return error == 0;
  }

  // The entries become the snapshot's.
  void take(Leaf& leaf, PageSpan span) noexcept {
    space_.edit(leaf, span,
                [&](PageIndex page, Entry& entry) { replace_entry(frames_, entry, then(page)); });
  }

  AddressSpace& space_;
  FrameStore& frames_;
  const PageTable& snapshot_;
  RollbackList& list_;
  HoleFinder holes_;
  bool short_of_mappings_;
  std::uint64_t few_remaps_ = kFewRemaps;
  PageSpan zeros_{};  ///< the last pages of zeros that were looked at: all that join each other
  bool zeros_are_among_frames_ = false;
  PageSpan copies_{};  ///< pages of one leaf to be copied back and shared, not done yet
  PageSpan remaps_{};  ///< pages of one leaf to be shown from the snapshot's frames, not done yet
};

}  // namespace

bool restore_round(AddressSpace& space, const PageTable& snapshot) noexcept {
  RollbackList& list = space.rollback();
  if (!list.follows(snapshot) || !list.reserve_for(space)) return false;
  RollbackRound(space, snapshot).run();
  return true;
}

}  // namespace cow
