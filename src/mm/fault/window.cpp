#include "mm/fault/window.hpp"

#include <algorithm>

namespace cow {

namespace {

// Two private neighbours may be chance; scattered stores must not pay for it.
constexpr std::uint64_t kShortestRun = 2;
// A window copies no more than this many pages of 4 KiB, however large pages are: at twenty per
// cent of that a fault is cheap enough.
constexpr std::uint64_t kMostCopies = 64;
// A run tells by itself how far it goes: five faults have 1, 1, 2, 4 and 8 pages. Only the next one
// takes its block, or a short run would be given mostly pages that nobody stores to.
constexpr std::uint64_t kFaultsOfARun = 6;

// Hot pages are private whatever the stores around them do.
bool is_in_run(Entry entry) { return entry.writable() && !entry.hot(); }

std::uint64_t private_run_before(const PageTable& table, PageIndex page, std::uint64_t most) {
  std::uint64_t run = 0;
  while (run < most && run < page.value && is_in_run(table.entry(page - PageCount{run + 1}))) ++run;
  return run;
}

std::uint64_t private_run_behind(const PageTable& table, PageIndex page, std::uint64_t most) {
  const std::uint64_t behind = table.pages().value - page.value - 1;
  std::uint64_t run = 0;
  while (run < most && run < behind && is_in_run(table.entry(page + PageCount{run + 1}))) ++run;
  return run;
}

PageSpan aligned_block(PageIndex page, std::uint64_t pages) {
  const PageIndex first{page.value / pages * pages};
  return {first, first + PageCount{pages}};
}

// From the page to the nearest private one in `within`, no further away than `reach`: made private
// together with all between, the page adds no mapping.
PageSpan bridge(const PageTable& table, PageIndex page, std::uint64_t reach, PageSpan within) {
  for (std::uint64_t distance = 1; distance <= reach; ++distance) {
    const PageIndex behind = page + PageCount{distance};
    if (behind < within.last && table.entry(behind).writable()) return {page, behind};
    if (page.value < within.first.value + distance) continue;
    const PageIndex before = page - PageCount{distance};
    if (table.entry(before).writable()) return {before + kOnePage, page + kOnePage};
  }
  return {page, page + kOnePage};
}

// A frame that was never touched, and that nobody else has: to open it takes no copying either.
bool is_idle(const PageTable& table, Entry entry) {
  return entry.never_stored() && table.store().frames.references(entry.frame()) == 1;
}

// The stretch around a zero page that takes no copying.
PageSpan zero_pages_around(const PageTable& table, PageIndex page, PageSpan within) {
  const auto is_free = [&](PageIndex at) {
    const Entry entry = table.entry(at);
    return entry.is_zero_page() || entry.writable() || is_idle(table, entry);
  };
  PageSpan span{page, page + kOnePage};
  while (span.last < within.last && is_free(span.last)) ++span.last;
  while (within.first < span.first && is_free(span.first - kOnePage)) {
    span.first = span.first - kOnePage;
  }
  return span;
}

PageSpan clip(PageSpan span, PageSpan to) {
  return {std::max(span.first, to.first), std::min(span.last, to.last)};
}

// After so many faults one more would make the faults dearer than the copy; more than a block has
// pages where pages are so large that faults never are. In rollback rounds the block is paid twice,
// as what was taken is put back; and scattered stores must not take one by chance.
std::uint64_t faults_worth_a_block(const AddressSpace& space, std::uint64_t fault_in_copies) {
  constexpr std::uint64_t kFewestInRounds = kBlockPages / 4;
  const std::uint64_t block_in_copies =
      kBlockPages * FaultPrices::copies_of_a_page(space.family().geometry());
  if (!space.rollback().is_in_rounds()) return block_in_copies / fault_in_copies;
  return std::max(kFewestInRounds, 2 * block_in_copies / MappedRange::prices().round_in_copies);
}

std::uint64_t longest_run_window(const Family& family) {
  const std::uint64_t copies = FaultPrices::copies_of_a_page(family.geometry());
  return std::min(family.max_window_pages(), std::max<std::uint64_t>(1, kMostCopies / copies));
}

}  // namespace

PageSpan choose_window(const AddressSpace& space, const Leaf& leaf, PageIndex page,
                       std::uint64_t fault_in_copies, const MappingShortage& shortage) noexcept {
  const PageTable& table = space.table();
  const PageSpan whole_leaf = space.open_pages_of(leaf.index);
  const Entry entry = table.entry(page);
  // Frames of zeros cost nothing until they are touched: the first store opens all of the leaf
  // that is zero pages.
  if (entry.is_zero_page() || is_idle(table, entry))
    return zero_pages_around(table, page, whole_leaf);
  if (shortage.block_pages > 0) return clip(aligned_block(page, shortage.block_pages), whole_leaf);
  if (shortage.reach_pages > 0) {
    const PageSpan joined = bridge(table, page, shortage.reach_pages, whole_leaf);
    if (joined.count() > kOnePage) return joined;
  }

  const std::uint64_t limit = longest_run_window(space.family());
  const std::uint64_t before = private_run_before(table, page, limit);
  const std::uint64_t behind = private_run_behind(table, page, limit);
  const std::uint64_t run = std::max(before, behind);
  const bool goes_on = run >= kShortestRun;
  const std::uint64_t enough =
      std::max(faults_worth_a_block(space, fault_in_copies), goes_on ? kFaultsOfARun : 0);
  if (space.family().max_window_pages() >= kBlockPages && leaf.faults_around(page) >= enough) {
    return clip(aligned_block(page, kBlockPages), whole_leaf);
  }
  const std::uint64_t pages = goes_on ? run : 1;
  if (before >= behind) return clip({page, page + PageCount{pages}}, whole_leaf);
  const PageIndex first{page.value - std::min(page.value, pages - 1)};
  return clip({first, page + kOnePage}, whole_leaf);
}

}  // namespace cow
