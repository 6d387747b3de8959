#pragma once

#include <algorithm>
#include <cstdint>

#include "mm/tables/page_table.hpp"

namespace cow {

// What a page table shows, in stretches. The caller holds the family's lock.

/// Calls `use(PageSpan)` for the stretches of `span` whose entries pass `test(Entry)`.
template <class Test, class Use>
void for_each_stretch(const PageTable& table, PageSpan span, const Test& test, const Use& use) {
  for_each_stretch(
      span, [&](PageIndex page) { return test(table.entry(page)); }, use);
}

/// The same for stretches whose frames lie side by side, too.
template <class Test, class Use>
void for_each_frame_stretch(const PageTable& table, PageSpan span, const Test& test,
                            const Use& use) {
  const auto is_beside = [&](PageIndex first, PageIndex page) {
    return table.entry(page).frame() == table.entry(first).frame().after(page - first);
  };
  for_each_stretch(
      span, [&](PageIndex page) { return test(table.entry(page)); }, is_beside, use);
}

/// The smallest span with all pages of `leaf` whose entries pass `test(Entry)`.
template <class Test>
[[nodiscard]] PageSpan hull_of(const PageTable& table, const Leaf& leaf,
                               const Test& test) noexcept {
  const auto& entries = leaf.entries;
  const auto first = std::find_if(entries.begin(), entries.end(), test);
  const auto last = std::find_if(entries.rbegin(), entries.rend(), test).base();
  const PageIndex begin = table.span_of(leaf.index).first;
  if (first == entries.end()) return {begin, begin};
  return {begin + PageCount{static_cast<std::uint64_t>(first - entries.begin())},
          begin + PageCount{static_cast<std::uint64_t>(last - entries.begin())}};
}

/// Calls `use(PageSpan, Entry first)` for each run of entries that join, in order, without looking
/// at every entry of a leaf that is one run, or at every leaf of a directory that is missing.
template <class Use>
void for_each_mapping(const PageTable& table, const Use& use) {
  PageSpan run{};
  Entry run_first;
  Entry last;
  const auto piece = [&](PageIndex end, Entry piece_first, Entry piece_last) {
    if (run.empty() || !last.joins(piece_first)) {
      if (!run.empty()) use(run, run_first);
      run.first = run.last;
      run_first = piece_first;
    }
    run.last = end;
    last = piece_last;
  };
  for (PageIndex page{0}; page.value < table.pages().value;) {
    const Leaf* const leaf = table.leaf_of(page);
    const PageIndex end =
        leaf == nullptr ? table.end_of_missing(page) : table.span_of(page.leaf_index()).last;
    if (leaf != nullptr && !leaf->boundaries.none()) {
      for (; page < end; ++page) piece(page + kOnePage, (*leaf)[page], (*leaf)[page]);
    } else {
      // Where a file ends, at the last page of a table, there is a leaf.
      piece(end, table.entry(page), table.entry(end - kOnePage));
    }
    page = end;
  }
  if (!run.empty()) use(run, run_first);
}

inline std::uint64_t count_runs(const PageTable& table) noexcept {
  std::uint64_t runs = 0;
  for_each_mapping(table, [&](PageSpan, Entry) { ++runs; });
  return runs;
}

/// Whether leaf `leaf_index` is the first of a directory that two tables of one family share.
inline bool share_directory(const PageTable& one, const PageTable& other,
                            std::uint64_t leaf_index) noexcept {
  const std::uint64_t directory = leaf_index / kTableEntries;
  return leaf_index % kTableEntries == 0 &&
         one.directory_at(directory) == other.directory_at(directory);
}

/// Calls `use(std::uint64_t leaf_index)` for the leaves in which two tables of one family differ,
/// without looking below directories that they share.
template <class Use>
void for_each_differing_leaf(const PageTable& one, const PageTable& other, const Use& use) {
  const std::uint64_t leaves = leaves_for(one.pages());
  for (std::uint64_t leaf_index = 0; leaf_index < leaves; ++leaf_index) {
    if (share_directory(one, other, leaf_index)) {
      leaf_index += kTableEntries - 1;
    } else if (one.leaf_at(leaf_index) != other.leaf_at(leaf_index)) {
      use(leaf_index);
    }
  }
}

/// Calls `use(PageSpan)` for each part of `span` that lies in one leaf and may show anything but
/// zero pages.
template <class Use>
void for_each_part_with_frames(const PageTable& table, PageSpan span, const Use& use) {
  for (PageIndex page = span.first; page < span.last;) {
    // A file's pages come before those that show zeros.
    if (table.leaf_of(page) == nullptr && table.entry(page).is_zero_page()) {
      page = table.end_of_missing(page);
      continue;
    }
    const PageIndex first = page;
    page = std::min(span.last, table.span_of(first.leaf_index()).last);
    use(PageSpan{first, page});
  }
}

}  // namespace cow
