#include "mm/write_fault.hpp"

#include <algorithm>
#include <cerrno>

#include "mm/leaf_fault.hpp"

namespace cow {

namespace {

void become_alone(AddressSpace& space, Turn& turn) noexcept {
  turn.become_alone();
  space.family().note_change();
}

/// Windows beyond one leaf, when mappings run short: other leaves follow, those that exist within
/// `block`, and where there are none yet, within `missing`. False if that left a hole.
bool take_other_leaves(AddressSpace& space, PageSpan block, PageSpan missing, Turn& turn) noexcept {
  become_alone(space, turn);
  const PageTable& table = space.table();
  const PageIndex first = std::min(block.first, missing.first);
  const PageIndex last = std::max(block.last, missing.last);
  for (std::uint64_t group = first.value / kTableEntries; group * kTableEntries < last.value;
       ++group) {
    const PageIndex page{group * kTableEntries};
    const Leaf* const leaf = table.leaf_at(group);
    if (leaf == nullptr && !missing.contains(page)) {
      if (table.directory_at(group / kTableEntries) == nullptr) group |= kTableEntries - 1;
      continue;
    }
    if (leaf != nullptr && !block.contains(page)) continue;
    const FaultOutcome outcome = take_leaf(space, group, turn);
    // Not the page that faulted: if this fails, it only was not a good moment.
    if (outcome.error != 0) return !outcome.left_hole;
  }
  return true;
}

PageSpan block_around(const AddressSpace& space, PageIndex page, std::uint64_t pages) noexcept {
  const PageIndex first{pages == 0 ? page.value : page.value / pages * pages};
  return {first, std::min(first + PageCount{pages}, PageIndex{space.table().pages().value})};
}

FaultOutcome try_to_make_private(AddressSpace& space, PageIndex page, FaultSteps* steps,
                                 Turn& turn) noexcept {
  const bool was_untouched = space.table().leaf_of(page) == nullptr;
  Leaf& leaf = space.table().own_leaf(page);  // page-table pages are copied on write, too
  if (leaf.entries[page.value % kTableEntries].writable()) {
    // Another thread's fault came first. Telling the kernel again costs little, and mends a
    // mapping that was left read-only by a control call that failed half-way.
    const int error = turn.aside([&] { return space.make_writable({page, page + kOnePage}); });
    return {error, "mprotect", true, protections()};
  }
  std::uint8_t& block_faults = leaf.block_faults[page.value % kTableEntries / kBlockPages];
  block_faults = static_cast<std::uint8_t>(std::min(block_faults + 1, 255));

  const FaultOutcome outcome = resolve_in_leaf(space, leaf, page, steps, turn);
  if (outcome.error != 0) return outcome;
  const MappingShortage shortage = mapping_budget::shortage();
  const bool of_file = space.family().frames().shows_file();
  const std::uint64_t missing_pages = of_file         ? shortage.file_pages
                                      : was_untouched ? shortage.untouched_pages
                                                      : 0;
  if (std::max(shortage.block_pages, missing_pages) <= kTableEntries) return outcome;
  if (take_other_leaves(space, block_around(space, page, shortage.block_pages),
                        block_around(space, page, missing_pages), turn)) {
    return outcome;
  }
  return {.error = ENOMEM, .call = "mmap", .left_hole = true};
}

}  // namespace

FaultOutcome resolve_write_fault(AddressSpace& space, PageIndex page, FaultSteps* steps) noexcept {
  Turn turn(space.family().lock(), space, page.value / kTableEntries);
  space.family().note_change();
  ++space.counts().faults;
  if (steps != nullptr) {
    steps->before = look_at(space, page);
    steps->located_ns = stamp(steps);
  }
  const FaultOutcome outcome = make_private(space, page, steps, turn);
  if (steps != nullptr) {
    steps->mapped_ns = stamp(steps);
    steps->after = look_at(space, page);
  }
  return outcome;
}

FaultOutcome make_private(AddressSpace& space, PageIndex page, FaultSteps* steps,
                          Turn& turn) noexcept {
  const FaultOutcome first = try_to_make_private(space, page, steps, turn);
  if (first.error == 0 || first.left_hole || turn.is_alone()) return first;
  // Faults beside this one may have what it lacks, and be about to give it back.
  become_alone(space, turn);
  return why_of_both(first, try_to_make_private(space, page, steps, turn));
}

PageLook look_at(const AddressSpace& space, PageIndex page) noexcept {
  const Entry entry = space.table().entry(page);
  const FrameStore& frames = space.family().frames();
  if (entry.is_zero_page()) return {PageKind::zero, 0};
  const std::uint64_t offset = frames.offset(entry.frame()).bytes;
  if (entry.writable()) return {PageKind::private_page, offset};
  const bool sole = space.table().owns_leaf(page) && frames.references(entry.frame()) == 1 &&
                    !frames.is_foreign(entry.frame());
  return {sole ? PageKind::sole_owner : PageKind::shared, offset};
}

}  // namespace cow
