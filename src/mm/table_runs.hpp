#pragma once

#include <algorithm>
#include <cstdint>

#include "mm/page_table.hpp"

namespace cow {

// What a page table shows, in stretches. The caller holds the family's lock.

/// Calls `use(PageSpan)` for the stretches of `span` whose entries pass `test(Entry)`.
template <class Test, class Use>
void for_each_stretch(const PageTable& table, PageSpan span, const Test& test, const Use& use) {
  for_each_stretch(
      span, [&](PageIndex page) { return test(table.entry(page)); }, use);
}

/// The smallest span with all pages of `leaf` whose entries pass `test(Entry)`.
template <class Test>
[[nodiscard]] PageSpan hull_of(const PageTable& table, const Leaf& leaf,
                               const Test& test) noexcept {
  const auto& entries = leaf.entries;
  const auto first = std::find_if(entries.begin(), entries.end(), test);
  const auto last = std::find_if(entries.rbegin(), entries.rend(), test).base();
  const PageIndex begin = table.span_of(leaf.group).first;
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
  const std::uint64_t groups = leaves_for(table.pages());
  for (std::uint64_t group = 0; group < groups; ++group) {
    PageSpan span = table.span_of(group);
    const Leaf* const leaf = table.leaf_at(group);
    if (table.directory_at(group / kTableEntries) == nullptr) {
      group = std::min(groups, (group / kTableEntries + 1) * kTableEntries) - 1;
      span.last = table.span_of(group).last;
    }
    if (leaf == nullptr) {
      const FrameStore& frames = table.store().frames;
      const Entry first = frames.untouched(span.first);
      const Entry end = frames.untouched(span.last - kOnePage);
      // Where the file ends, at the last page of a table, there is a leaf.
      piece(span.last, first, end);
    } else if (leaf->breaks.none()) {
      piece(span.last, leaf->entries[0], leaf->entries[span.count().value - 1]);
    } else {
      for (std::size_t i = 0; i < span.count().value; ++i) {
        const PageIndex next = span.first + PageCount{i + 1};
        piece(next, leaf->entries[i], leaf->entries[i]);
      }
    }
  }
  if (!run.empty()) use(run, run_first);
}

inline std::uint64_t count_runs(const PageTable& table) noexcept {
  std::uint64_t runs = 0;
  for_each_mapping(table, [&](PageSpan, Entry) { ++runs; });
  return runs;
}

}  // namespace cow
