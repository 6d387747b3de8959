#pragma once

#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>

#include "base/check.hpp"

namespace cow {

/// How many pages. A count is not a position: see PageIndex.
struct PageCount {
  std::uint64_t value = 0;

  friend constexpr auto operator<=>(PageCount, PageCount) = default;
  friend constexpr PageCount operator+(PageCount a, PageCount b) { return {a.value + b.value}; }
  friend constexpr PageCount operator-(PageCount a, PageCount b) { return {a.value - b.value}; }
};

/// Entries of one leaf of a page table, as in the processor's with pages of 4 KiB.
inline constexpr std::size_t kTableEntries = 512;

/// Which page of an address space, from 0.
struct PageIndex {
  std::uint64_t value = 0;

  /// Where a page table has the page: in which leaf, and which entry of it that is.
  [[nodiscard]] constexpr std::uint64_t leaf_index() const { return value / kTableEntries; }
  [[nodiscard]] constexpr std::size_t entry_index() const { return value % kTableEntries; }

  friend constexpr auto operator<=>(PageIndex, PageIndex) = default;
  friend constexpr PageIndex operator+(PageIndex page, PageCount n) {
    return {page.value + n.value};
  }
  friend constexpr PageIndex operator-(PageIndex page, PageCount n) {
    return {page.value - n.value};
  }
  friend constexpr PageCount operator-(PageIndex a, PageIndex b) { return {a.value - b.value}; }
  constexpr PageIndex& operator++() {
    ++value;
    return *this;
  }
  constexpr PageIndex operator++(int) { return {value++}; }
};

/// The pages [first, last).
struct PageSpan {
  PageIndex first;
  PageIndex last;

  [[nodiscard]] constexpr PageCount count() const { return last - first; }
  [[nodiscard]] constexpr bool empty() const { return first >= last; }
  [[nodiscard]] constexpr bool contains(PageIndex page) const {
    return first <= page && page < last;
  }
  friend constexpr bool operator==(PageSpan, PageSpan) = default;
};

inline constexpr PageCount kOnePage{1};

/// Calls `use(PageSpan)` for each stretch of `span` whose pages all pass `test(PageIndex)` and go
/// on from its first one: `goes_on(PageIndex first, PageIndex page)`. Each is as long as it can be.
template <class Test, class GoesOn, class Use>
constexpr void for_each_stretch(PageSpan span, const Test& test, const GoesOn& goes_on,
                                const Use& use) {
  for (PageIndex page = span.first; page < span.last;) {
    const PageIndex first = page;
    if (!test(page++)) continue;
    while (page < span.last && test(page) && goes_on(first, page)) ++page;
    use(PageSpan{first, page});
  }
}
template <class Test, class Use>
constexpr void for_each_stretch(PageSpan span, const Test& test, const Use& use) {
  for_each_stretch(
      span, test, [](PageIndex, PageIndex) { return true; }, use);
}

/// Calls `use(PageSpan)` for each part of `span` that lies in one leaf of a page table.
template <class Use>
constexpr void for_each_leaf_part(PageSpan span, const Use& use) {
  while (!span.empty()) {
    const PageIndex end{(span.first.leaf_index() + 1) * kTableEntries};
    const PageSpan part{span.first, std::min(span.last, end)};
    span.first = part.last;
    use(part);
  }
}

/// User addresses have 47 or 48 bits: no region is larger, nor a file that can be shown.
inline constexpr std::uint64_t kAddressSpaceBytes = std::uint64_t{1} << 47;

/// The size of a family's pages and the conversions that depend on it.
class PageGeometry {
 public:
  /// Precondition: `page_bytes` is a power of two. A family's is a multiple of the host's page,
  /// too.
  constexpr explicit PageGeometry(std::size_t page_bytes)
      : shift_(static_cast<unsigned>(__builtin_ctzll(page_bytes))) {
    COW_CHECK(std::has_single_bit(page_bytes));
  }

  [[nodiscard]] constexpr std::size_t page_bytes() const { return std::size_t{1} << shift_; }
  [[nodiscard]] constexpr std::size_t bytes(PageCount n) const { return n.value << shift_; }
  [[nodiscard]] constexpr std::size_t offset(PageIndex page) const { return page.value << shift_; }
  [[nodiscard]] constexpr PageIndex page_at(std::size_t offset) const { return {offset >> shift_}; }
  /// The pages that `bytes` bytes need. Precondition: `bytes` > 0.
  [[nodiscard]] constexpr PageCount pages_for(std::size_t bytes) const {
    COW_CHECK(bytes > 0);
    return {((bytes - 1) >> shift_) + 1};
  }

 private:
  unsigned shift_;
};

}  // namespace cow
