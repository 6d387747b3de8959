#include "mm/fault/fault_work.hpp"

#include "mm/fault/copy_out.hpp"

namespace cow {

FaultOutcome FaultWork::carry_out() noexcept {
  return plan_.way == FaultPlan::Way::in_place ? write_in_place() : write_to_copies();
}

void FaultWork::commit() noexcept {
  const std::uint32_t writable_before = leaf_.writable;
  const std::uint64_t copied_before = space_.counts().pages_copied;
  plan_.way == FaultPlan::Way::in_place ? commit_in_place() : commit_copies();
  trace_.note_pages(leaf_.writable - writable_before, space_.counts().pages_copied - copied_before);
}

void FaultWork::back_out(const FaultOutcome& outcome) noexcept {
  if (outcome.left_hole || outcome.refused == FaultStep::find_frame) return;
  if (plan_.way == FaultPlan::Way::redirect) drop_targets();
  if (outcome.refused == FaultStep::protect) space_.protect_again(leaf_, plan_.window);
}

// ---- Nobody else can see these frames: let the snapshots keep a copy, and write on. -------------

FaultOutcome FaultWork::write_in_place() noexcept {
  trace_.note_allocated();
  const CopiedOut copied = copy_out(space_, leaf_, plan_.window, plan_.page, lock_);
  if (copied.error != 0) return {copied.error, FaultStep::copy};
  copied_out_ = copied.pages;
  trace_.note_copied();
  const int error = lock_.aside([&] { return space_.range().make_writable(plan_.window); });
  return {error, FaultStep::protect};
}

void FaultWork::commit_in_place() noexcept {
  const std::uint32_t writable_before = leaf_.writable;
  space_.edit(leaf_, plan_.window, [](PageIndex, Entry& entry) { entry.set_writable(true); });
  space_.counts().pages_copied += copied_out_;
  space_.counts().pages_upgraded += leaf_.writable - writable_before - copied_out_;
}

// ---- Others see the old frames: copy them, show the copies, and leave them to the others. -------

FaultOutcome FaultWork::write_to_copies() noexcept {
  if (!take_targets()) return {ENOSPC, FaultStep::find_frame};
  if (!clear_targets_of_zeros()) return {EIO, FaultStep::allocate};
  if (trace_.allocates_apart()) {
    const int error = frames_.allocate({plan_.target, kOnePage});
    if (error != 0) return {error, FaultStep::allocate};
    trace_.note_allocated();
  }
  if (const int error = copy_to_targets(); error != 0) return {error, FaultStep::copy};
  trace_.note_copied();
  FaultOutcome outcome{.refused = FaultStep::map};
  const os::Populate populated = populate();
  outcome.error = lock_.aside([&] {
    const Frame first = plan_.target_of(plan_.window.first);
    const int error =
        space_.range().map(plan_.window, first, os::Protection::read_write, populated, look_);
    outcome.left_hole = error != 0 && !space_.show_again(plan_.window);
    return error;
  });
  return outcome;
}

// False if there is none for the page.
bool FaultWork::take_targets() noexcept {
  if (plan_.target == Frame{}) {
    plan_.target = frames_.take_packed(kOnePage).first;
    return plan_.target != Frame{};
  }
  for (PageIndex page = plan_.window.first; page < plan_.window.last; ++page) {
    if (redirects(page)) frames_.take(plan_.target_of(page));
  }
  return true;
}

void FaultWork::drop_targets() noexcept {
  for_each_stretch(
      plan_.window, [&](PageIndex page) { return redirects(page); },
      [&](PageSpan run) {
        frames_.drop_references({plan_.target_of(run.first), run.count()}, 1);
      });
}

// Zero pages need no copy, but a frame without what a recycled one held.
bool FaultWork::clear_targets_of_zeros() noexcept {
  bool cleared = true;
  for_each_stretch(
      plan_.window, [&](PageIndex page) { return redirects(page) && !copies(page); },
      [&](PageSpan run) {
        cleared = cleared && frames_.show_zeros({plan_.target_of(run.first), run.count()});
      });
  return cleared;
}

// 0 or an errno value.
int FaultWork::copy_to_targets() noexcept {
  const auto source_of = [&](PageIndex page) {
    return space_.source_of(page, leaf_[page].frame(), lock_);
  };
  const auto is_beside = [&](PageIndex first, PageIndex page) {
    return source_of(page) == source_of(first) + space_.family().geometry().bytes(page - first);
  };
  int error = 0;
  for_each_stretch(
      plan_.window, [&](PageIndex page) { return copies(page); }, is_beside,
      [&](PageSpan run) {
        if (error != 0) return;
        const FrameRun to{plan_.target_of(run.first), run.count()};
        const std::byte* const source = source_of(run.first);
        const int refusal = lock_.aside([&] { return frames_.write(to, source); });
        error = frames_.finish_fill(to, source, refusal);
        // Reserved frames are filled without the descriptor.
        if (frames_.backing() == Backing::on_store) look_ = os::Look::was_taken;
      });
  return error;
}

// In a run of stores every page of the window will be touched: one call is cheaper than the second
// fault of each page. Frames of zeros are not to be allocated before they are touched.
os::Populate FaultWork::populate() const noexcept {
  constexpr PageCount kWorthwhile{4};
  if (plan_.window.count() < kWorthwhile) return os::Populate::no;
  for (PageIndex page = plan_.window.first; page < plan_.window.last; ++page) {
    const Entry at = leaf_[page];
    if (at.is_zero_page() || at.never_stored()) return os::Populate::no;
  }
  return os::Populate::yes;
}

void FaultWork::commit_copies() noexcept {
  FaultCounts& counts = space_.counts();
  space_.edit(leaf_, plan_.window, [&](PageIndex page, Entry& entry) {
    const Entry old = entry;
    if (redirects(page)) {
      const bool is_neighbour = page != plan_.page;
      entry = Entry(plan_.target_of(page));
      entry.set_heat(old.heat());
      entry.set_never_stored(is_neighbour && old.shows_zeros());
      entry.set_maybe_clean(is_neighbour && !old.shows_zeros());
      ++(old.shows_zeros() ? counts.pages_zero_filled : counts.pages_copied);
      frames_.drop_reference(old);
    } else if (!old.writable()) {
      ++counts.pages_upgraded;
    }
    entry.set_writable(true);
  });
}

}  // namespace cow
