#include "mm/leaf_fault.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "mm/evacuation.hpp"
#include "mm/window.hpp"
#include "os/host.hpp"

namespace cow {

namespace {

constexpr const char* kNoFrameLeft = "take_packed";

/// What a fault cares for beside its page.
enum class Aim {
  cheap,        ///< that it costs little
  no_mappings,  ///< that the region is in no more pieces afterwards, whatever it costs
};

Aim aim_of(const MappingShortage& shortage) noexcept {
  return shortage.block_pages > 0 ? Aim::no_mappings : Aim::cheap;
}

/// One write fault on a page that is not writable yet, with the family's lock held. Nobody else
/// changes the leaf while the lock is let go.
class WriteFault {
 public:
  WriteFault(AddressSpace& space, Leaf& leaf, PageIndex page, FaultSteps* steps, Turn& turn,
             Aim aim) noexcept
      : space_(space),
        frames_(space.family().frames()),
        leaf_(leaf),
        page_(page),
        steps_(steps),
        turn_(turn),
        aim_(aim),
        stays_(can_stay(page) && (aim == Aim::cheap || all_of_run_can_stay())) {}

  /// Whether the page keeps its frame, which is cheaper than to move it.
  [[nodiscard]] bool stays() const noexcept { return stays_; }

  FaultOutcome resolve(PageSpan window) noexcept {
    if (stays_) return write_in_place(widest(window, &WriteFault::can_stay));
    target_ = target_frame();
    if (target_ == Frame{}) return {ENOSPC, kNoFrameLeft};
    return write_in_new_frames(widest(window, &WriteFault::can_move));
  }

 private:
  [[nodiscard]] Entry& entry(PageIndex page) const noexcept {
    return leaf_.entries[page.value % kTableEntries];
  }
  [[nodiscard]] bool is_sole_owner(Entry entry) const noexcept {
    return !entry.is_zero_page() && frames_.references(entry.frame()) == 1 &&
           !frames_.is_foreign(entry.frame());
  }

  // A page stays where it is if nobody else can see its frame: then either nobody else references
  // it, or only snapshots do that were never mapped, and their copy can be kept elsewhere.
  [[nodiscard]] bool can_stay(PageIndex page) const noexcept {
    const Entry at = entry(page);
    return at.writable() || is_sole_owner(at) ||
           (space_.may_pack() && can_evacuate(space_, leaf_, page));
  }

  // Where a part of a mapping stays and a part moves it falls into pieces. So all of it moves: it
  // is in other frames than the target's, and the pages around it in as many pieces as before.
  [[nodiscard]] bool all_of_run_can_stay() const noexcept {
    const PageSpan leaf = space_.table().span_of(leaf_.group);
    PageIndex at = page_;
    while (at > leaf.first && entry(at - kOnePage).joins(entry(at))) at = at - kOnePage;
    while (can_stay(at) && at + kOnePage < leaf.last && entry(at).joins(entry(at + kOnePage))) ++at;
    return can_stay(at);
  }

  // A page can show the target's neighbour if that is free, or shows it already.
  [[nodiscard]] bool can_move(PageIndex page) const noexcept {
    const Entry at = entry(page);
    if (page == page_) return true;
    const Frame to = target_of(page);
    if (at.frame() == to && !at.is_zero_page()) return at.writable() || is_sole_owner(at);
    return target_is_home_ && frames_.is_free(to) && !at.writable();
  }

  [[nodiscard]] Frame target_of(PageIndex page) const noexcept {
    return {target_.extent(), {target_.slot().value + page.value - page_.value}};
  }

  [[nodiscard]] Frame target_frame() noexcept {
    const Frame home =
        aim_ == Aim::cheap ? space_.free_home_slot(page_) : space_.roomy_home_slot(page_);
    target_is_home_ = home != Frame{};
    return target_is_home_ ? home : frames_.take_packed(kOnePage).first;
  }

  // The widest part of `window` around the page all of whose pages pass `test`.
  [[nodiscard]] PageSpan widest(PageSpan window,
                                bool (WriteFault::*test)(PageIndex) const) const noexcept {
    PageSpan span{page_, page_ + kOnePage};
    while (span.last < window.last && (this->*test)(span.last)) ++span.last;
    while (window.first < span.first && (this->*test)(span.first - kOnePage)) {
      span.first = span.first - kOnePage;
    }
    return span;
  }

  FaultOutcome write_in_place(PageSpan window) noexcept;
  FaultOutcome write_in_new_frames(PageSpan window) noexcept;
  [[nodiscard]] FaultOutcome copy_to_target(PageSpan window) noexcept;
  [[nodiscard]] bool clear_targets_of_zeros(PageSpan window) noexcept;
  // Others of the window show their target already.
  [[nodiscard]] bool moves(PageIndex page) const noexcept {
    const Entry at = entry(page);
    return at.is_zero_page() || at.frame() != target_of(page);
  }
  [[nodiscard]] bool needs_copy(PageIndex page) const noexcept {
    return moves(page) && !entry(page).shows_zeros();
  }
  [[nodiscard]] os::Populate populate(PageSpan window) const noexcept;
  void take_targets(PageSpan window) noexcept;
  void drop_targets(PageSpan window) noexcept;

  AddressSpace& space_;
  FrameStore& frames_;
  Leaf& leaf_;
  PageIndex page_;
  FaultSteps* steps_;
  Turn& turn_;
  Aim aim_;
  bool stays_;
  Frame target_;
  bool target_is_home_ = false;
  os::Look look_ = os::Look::now;  ///< whether the copy has made sure of the descriptor
};

// Nobody else can see these frames: let the snapshots keep a copy, and write on.
FaultOutcome WriteFault::write_in_place(PageSpan window) noexcept {
  if (steps_ != nullptr) steps_->allocated_ns = stamp(steps_);
  const Evacuated evacuated = evacuate(space_, leaf_, window, page_, turn_);
  if (evacuated.error != 0) return {evacuated.error, "pwrite"};
  if (steps_ != nullptr) {
    steps_->copied_ns = stamp(steps_);
    steps_->pages_copied = evacuated.pages_copied;
  }
  const int error = turn_.aside([&] { return space_.make_writable(window); });
  if (error != 0) {
    space_.protect_again(leaf_, window);
    return {error, "mprotect"};
  }

  const std::uint32_t writable_before = leaf_.writable;
  space_.edit(leaf_, window, [&](PageIndex, Entry& entry) { entry.set_writable(true); });
  FaultCounts& counts = space_.counts();
  counts.pages_copied += evacuated.pages_copied;
  counts.pages_upgraded += leaf_.writable - writable_before - evacuated.pages_copied;
  return {};
}

// Others see the old frames: copy them, show the copies, and leave the old ones to the others.
FaultOutcome WriteFault::write_in_new_frames(PageSpan window) noexcept {
  take_targets(window);
  if (const FaultOutcome copied = copy_to_target(window); copied.error != 0) {
    drop_targets(window);
    return copied;
  }
  const Frame first = target_of(window.first);
  const os::Populate populated = populate(window);
  bool left_hole = false;
  const int error = turn_.aside([&] {
    const int refusal = space_.map(window, first, os::Protection::read_write, populated, look_);
    left_hole = refusal != 0 && !space_.show_again(window);
    return refusal;
  });
  if (error != 0) {
    if (!left_hole) drop_targets(window);
    return {.error = error, .call = "mmap", .left_hole = left_hole};
  }

  FaultCounts& counts = space_.counts();
  space_.edit(leaf_, window, [&](PageIndex page, Entry& entry) {
    const Entry old = entry;
    const Frame now = target_of(page);
    if (moves(page)) {
      entry = Entry(now);
      entry.set_heat(old.heat());
      entry.set_never_stored(page != page_ && old.shows_zeros());
      entry.set_taken_along(page != page_ && !old.shows_zeros());
      leaf_.any_never_stored = leaf_.any_never_stored || entry.never_stored();
      ++(old.shows_zeros() ? counts.pages_zero_filled : counts.pages_copied);
      if (!old.is_zero_page()) frames_.drop_references({old.frame(), kOnePage}, 1);
    } else if (!old.writable()) {
      ++counts.pages_upgraded;
    }
    entry.set_writable(true);
  });
  return {};
}

// A packed frame was taken already.
void WriteFault::take_targets(PageSpan window) noexcept {
  for (PageIndex page = window.first; target_is_home_ && page < window.last; ++page) {
    if (moves(page)) frames_.take(target_of(page));
  }
}

// Frames that are not going to be shown after all.
void WriteFault::drop_targets(PageSpan window) noexcept {
  for (PageIndex page = window.first; page < window.last;) {
    PageIndex end = page;
    while (end < window.last && moves(end)) ++end;
    if (page < end) frames_.drop_references({target_of(page), end - page}, 1);
    page = std::max(end, page + kOnePage);
  }
}

// Zero pages that move need no copy, but a frame without what a recycled one held.
bool WriteFault::clear_targets_of_zeros(PageSpan window) noexcept {
  const auto is_zero = [&](PageIndex page) { return moves(page) && !needs_copy(page); };
  for (PageIndex page = window.first; page < window.last;) {
    PageIndex end = page;
    while (end < window.last && is_zero(end)) ++end;
    if (page < end && !frames_.show_zeros({target_of(page), end - page})) return false;
    page = std::max(end, page + kOnePage);
  }
  return true;
}

FaultOutcome WriteFault::copy_to_target(PageSpan window) noexcept {
  const PageGeometry geometry = space_.family().geometry();
  if (!clear_targets_of_zeros(window)) return {EIO, "fallocate"};
  if (steps_ != nullptr) {
    const int error = frames_.allocate({target_, kOnePage});
    if (error != 0) return {error, "fallocate"};
    steps_->allocated_ns = stamp(steps_);
  }
  for (PageIndex page = window.first; page < window.last;) {
    PageIndex end = page;
    const std::byte* const source =
        needs_copy(page) ? space_.source_of(page, entry(page).frame(), turn_) : nullptr;
    while (end < window.last && needs_copy(end) &&
           space_.source_of(end, entry(end).frame(), turn_) ==
               source + geometry.bytes(end - page)) {
      ++end;
    }
    if (page < end) {
      const FrameRun run{target_of(page), end - page};
      const int refusal = turn_.aside([&] { return frames_.write(run, source); });
      const int error = frames_.finish_fill(run, source, refusal);
      if (error != 0) return {error, "pwrite"};
      // Reserved frames are filled without the descriptor.
      if (frames_.backing() == Backing::on_store) look_ = os::Look::was_taken;
      if (steps_ != nullptr) steps_->pages_copied += (end - page).value;
    }
    page = std::max(end, page + kOnePage);
  }
  if (steps_ != nullptr) steps_->copied_ns = stamp(steps_);
  return {};
}

// In a run of stores every page of the window will be touched: one call is cheaper than the second
// fault of each page. Frames of zeros are not to be allocated before they are touched.
os::Populate WriteFault::populate(PageSpan window) const noexcept {
  constexpr PageCount kWorthwhile{4};
  if (window.count() < kWorthwhile) return os::Populate::no;
  for (PageIndex page = window.first; page < window.last; ++page) {
    const Entry at = entry(page);
    if (at.is_zero_page() || at.never_stored()) return os::Populate::no;
  }
  return os::Populate::yes;
}

bool is_for_want_of_mappings(const FaultOutcome& outcome) noexcept {
  return outcome.error == ENOMEM &&
         (std::strcmp(outcome.call, "mmap") == 0 || std::strcmp(outcome.call, "mprotect") == 0);
}

}  // namespace

std::uint64_t stamp(const FaultSteps* steps) noexcept {
  return steps == nullptr ? 0 : os::monotonic_ns();
}

// Frames that cannot be cleared are never used again, so a second attempt may find none: because of
// what made the first one fail.
FaultOutcome why_of_both(const FaultOutcome& first, const FaultOutcome& second) noexcept {
  return std::strcmp(second.call, kNoFrameLeft) == 0 ? first : second;
}

namespace {

// Seldom needed, and not inlined: the handler has little stack.
[[gnu::noinline]] FaultOutcome resolve_alone(AddressSpace& space, Leaf& leaf, PageIndex page,
                                             FaultSteps* steps, Turn& turn) noexcept {
  WriteFault fault(space, leaf, page, steps, turn, Aim::cheap);
  return fault.resolve({page, page + kOnePage});
}

}  // namespace

FaultOutcome resolve_in_leaf(AddressSpace& space, Leaf& leaf, PageIndex page, FaultSteps* steps,
                             Turn& turn) noexcept {
  const std::uint32_t writable_before = leaf.writable;
  const auto resolve_window = [&] {
    const MappingShortage shortage = mapping_budget::shortage();
    WriteFault fault(space, leaf, page, steps, turn, aim_of(shortage));
    return fault.resolve(choose_window(space, leaf, page, fault.stays(), shortage));
  };
  const FaultOutcome first = resolve_window();
  FaultOutcome outcome = first;
  for (int i = 0; is_for_want_of_mappings(outcome) && i < mapping_budget::kAttempts; ++i) {
    if (outcome.left_hole) return outcome;
    mapping_budget::note_exhausted();
    outcome = resolve_window();
  }
  if (outcome.left_hole) return outcome;
  if (outcome.error != 0) {
    outcome = why_of_both(first, resolve_alone(space, leaf, page, steps, turn));
  }
  if (steps != nullptr) steps->pages_taken = leaf.writable - writable_before;
  return outcome;
}

FaultOutcome take_leaf(AddressSpace& space, std::uint64_t group, Turn& turn) noexcept {
  const PageSpan span = space.table().span_of(group);
  Leaf& leaf = space.table().own_leaf(span.first);
  PageIndex page = span.first;
  while (page < span.last && leaf.entries[page.value % kTableEntries].writable()) ++page;
  if (page == span.last) return {};
  const FaultOutcome outcome =
      WriteFault(space, leaf, page, nullptr, turn, Aim::no_mappings).resolve(span);
  if (outcome.error == 0) leaf.entries[page.value % kTableEntries].set_taken_along(true);
  return outcome;
}

}  // namespace cow
