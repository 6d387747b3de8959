// A write fault, from its address to the new mapping. Read from the end: resolve_write_fault().

#include "mm/fault/write_fault.hpp"

#include <algorithm>

#include "base/refusal.hpp"
#include "os/last_words.hpp"

namespace cow {

namespace {

/// A control call holds the family's lock, which those that save need: it waits before.
enum class MayWait { no, yes };

// One attempt: what is decided is carried out with the lock let go, and then written down or
// undone. Not inlined, as it is called in several places and the handler has little stack.
[[gnu::noinline]] FaultOutcome attempt(AddressSpace& space, Leaf& leaf, const FaultPlan& plan,
                                       LeafLock& lock, FaultTrace& trace) noexcept {
  FaultWork work(space, leaf, plan, lock, trace);
  const FaultOutcome outcome = work.carry_out();
  if (outcome.error == 0) {
    work.commit();
  } else {
    work.back_out(outcome);
  }
  return outcome;
}

// What a plan would copy while a backup still has it takes memory that is the backup's: less is
// copied where there is no room for all of it. For the page alone there is: see must_wait().
FaultPlan within_limit(const AddressSpace& space, const Leaf& leaf, FaultPlan plan) noexcept {
  PastLimit& past = space.family().past_limit();
  if (!past.is_active()) return plan;
  if (!past.has_room_for(leaf, plan.window)) plan = decide_alone(space, leaf, plan.page);
  past.charge(leaf, plan.window);
  return plan;
}

// What to say when another attempt failed, too. Frames that cannot be cleared are never used again,
// so it may find none: because of what made the first one fail.
FaultOutcome why_of_both(const FaultOutcome& first, const FaultOutcome& second) noexcept {
  return second.refused == FaultStep::find_frame ? first : second;
}

// With its neighbours, and without them where the kernel refuses those, for whatever reason: they
// must never cost the store. When the kernel has no mapping left although we counted on some, the
// spare ones are given back first, and the region becomes one piece.
FaultOutcome make_writable(AddressSpace& space, Leaf& leaf, PageIndex page, LeafLock& lock,
                           FaultTrace& trace) noexcept {
  const auto decide_within_limit = [&] {
    return within_limit(space, leaf, decide(space, leaf, page));
  };
  const FaultOutcome first = attempt(space, leaf, decide_within_limit(), lock, trace);
  FaultOutcome outcome = first;
  for (int i = 0; outcome.lacks_mappings() && i < mapping_budget::kAttempts; ++i) {
    mapping_budget::note_exhausted();
    outcome = attempt(space, leaf, decide_within_limit(), lock, trace);
  }
  if (!outcome.can_try_again()) return outcome;
  outcome = attempt(space, leaf, decide_alone(space, leaf, page), lock, trace);
  return why_of_both(first, outcome);
}

void become_alone(AddressSpace& space, LeafLock& lock) noexcept {
  lock.become_alone();
  space.family().note_change();
}

// Makes pages of leaf `leaf_index` writable that nobody stored to, from its first one that is not.
FaultOutcome take_leaf(AddressSpace& space, std::uint64_t leaf_index, LeafLock& lock) noexcept {
  const PageSpan span = space.open_pages_of(leaf_index);
  if (span.empty()) return {};
  Leaf& leaf = space.table().own_leaf(span.first);
  PageIndex page = span.first;
  while (page < span.last && leaf[page].writable()) ++page;
  if (page == span.last) return {};
  FaultTrace nobody_asked;
  PastLimit& past = space.family().past_limit();
  if (past.is_active()) past.let_saved_go(leaf_index);
  const FaultPlan plan = decide_for_leaf(space, leaf, page);
  if (past.is_active()) {
    if (!past.has_room_for(leaf, plan.window)) return {};  // a wish, not a store
    past.charge(leaf, plan.window);
  }
  const FaultOutcome outcome = attempt(space, leaf, plan, lock, nobody_asked);
  if (outcome.error == 0) leaf[page].set_maybe_clean(true);
  return outcome;
}

PageSpan block_around(const AddressSpace& space, PageIndex page, std::uint64_t pages) noexcept {
  const PageIndex first{pages == 0 ? page.value : page.value / pages * pages};
  return {first, std::min(first + PageCount{pages}, PageIndex{space.table().pages().value})};
}

// Windows beyond one leaf, when mappings run short: other leaves follow, those that exist within
// the block, and where there are none yet, within a larger one if there was none here.
FaultOutcome take_other_leaves(AddressSpace& space, PageIndex page, bool was_untouched,
                               LeafLock& lock) noexcept {
  const MappingShortage shortage = mapping_budget::shortage();
  const std::uint64_t missing_pages = space.family().frames().shows_file() ? shortage.file_pages
                                      : was_untouched ? shortage.untouched_pages
                                                      : 0;
  if (std::max(shortage.block_pages, missing_pages) <= kTableEntries) return {};
  become_alone(space, lock);
  const PageSpan block = block_around(space, page, shortage.block_pages);
  const PageSpan missing = block_around(space, page, missing_pages);
  const PageTable& table = space.table();
  const PageIndex last = std::max(block.last, missing.last);
  for (std::uint64_t leaf_index = std::min(block.first, missing.first).leaf_index();
       leaf_index * kTableEntries < last.value; ++leaf_index) {
    const PageIndex first{leaf_index * kTableEntries};
    const bool exists = table.leaf_at(leaf_index) != nullptr;
    if (!exists && !missing.contains(first)) {
      if (table.directory_at(leaf_index / kTableEntries) == nullptr)
        leaf_index |= kTableEntries - 1;
      continue;
    }
    if (exists && !block.contains(first)) continue;
    const FaultOutcome outcome = take_leaf(space, leaf_index, lock);
    // Not the page that faulted: if this fails, it only was not a good moment.
    if (outcome.error != 0) return outcome.left_hole ? outcome : FaultOutcome{};
  }
  return {};
}

// Whether there is no room for one copy more.
bool must_wait(AddressSpace& space, const Leaf& leaf, PageIndex page) noexcept {
  PastLimit& past = space.family().past_limit();
  return past.is_active() && !past.has_room_for(leaf, {page, page + kOnePage}) && !past.is_savers();
}

FaultOutcome try_to_break_sharing(AddressSpace& space, PageIndex page, MayWait may_wait,
                                  LeafLock& lock, FaultTrace& trace) noexcept {
  const bool was_untouched = space.table().leaf_of(page) == nullptr;
  Leaf& leaf = space.table().own_leaf(page);  // page-table pages are copied on write, too
  if (leaf[page].writable()) {
    // Another thread's fault came first. Telling the kernel again costs little, and mends a
    // mapping that was left read-only by a control call that failed half-way.
    const int error = lock.aside([&] {
      return space.range().make_writable({page, page + kOnePage});
    });
    return {.error = error,
            .refused = FaultStep::protect,
            .was_writable = true,
            .protections = protections()};
  }
  // What the backup has saved needs no copy, nor room.
  PastLimit& past = space.family().past_limit();
  if (past.is_active()) past.let_saved_go(page.leaf_index());
  if (may_wait == MayWait::yes && must_wait(space, leaf, page)) return {.must_wait = true};
  leaf.count_fault(page);
  const FaultOutcome outcome = make_writable(space, leaf, page, lock, trace);
  return outcome.error != 0 ? outcome : take_other_leaves(space, page, was_untouched, lock);
}

FaultOutcome break_sharing(AddressSpace& space, PageIndex page, MayWait may_wait, LeafLock& lock,
                           FaultTrace& trace) noexcept {
  const FaultOutcome first = try_to_break_sharing(space, page, may_wait, lock, trace);
  if (!first.can_try_again() || lock.is_alone()) return first;
  // Faults beside this one may have what it lacks, and be about to give it back.
  become_alone(space, lock);
  return why_of_both(first, try_to_break_sharing(space, page, may_wait, lock, trace));
}

}  // namespace

void break_sharing(AddressSpace& space, PageIndex page, const char* what) {
  if (space.table().entry(page).writable()) return;
  space.family().lock().assert_held();
  LeafLock lock(space.family().lock());
  FaultTrace nobody_asked;
  const FaultOutcome outcome = break_sharing(space, page, MayWait::no, lock, nobody_asked);
  if (outcome.left_hole) os::die_of("a region could not be mapped as it was", outcome.error);
  if (outcome.error != 0) throw_refused(outcome.error, outcome.call(), what);
}

FaultOutcome resolve_write_fault(AddressSpace& space, PageIndex page, FaultSteps* steps,
                                 WaitingForSave& waiting) noexcept {
  LeafLock lock(space.family().lock(), space, page.leaf_index());  // nobody else changes this leaf
  space.family().note_change();
  ++space.counts().faults;
  FaultTrace trace(steps);
  trace.begin(space, page);
  const FaultOutcome outcome = break_sharing(space, page, MayWait::yes, lock, trace);
  if (outcome.must_wait) {
    --space.counts().faults;  // it comes again
    space.family().past_limit().wait_for(page, waiting);
    return outcome;
  }
  trace.end(space, page, outcome);
  return outcome;
}

}  // namespace cow
