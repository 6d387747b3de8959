#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace cow {

/// How many pages. A count is not a position: see PageIndex.
struct PageCount {
  std::uint64_t value = 0;

  friend constexpr auto operator<=>(PageCount, PageCount) = default;
  friend constexpr PageCount operator+(PageCount a, PageCount b) { return {a.value + b.value}; }
  friend constexpr PageCount operator-(PageCount a, PageCount b) { return {a.value - b.value}; }
};

/// Which page of an address space, from 0.
struct PageIndex {
  std::uint64_t value = 0;

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

/// The size of a family's pages and the conversions that depend on it.
class PageGeometry {
 public:
  /// Preconditions: `page_bytes` is a power of two and a multiple of the host's page size.
  constexpr explicit PageGeometry(std::size_t page_bytes)
      : shift_(static_cast<unsigned>(__builtin_ctzll(page_bytes))) {}

  [[nodiscard]] constexpr std::size_t page_bytes() const { return std::size_t{1} << shift_; }
  [[nodiscard]] constexpr std::size_t bytes(PageCount n) const { return n.value << shift_; }
  [[nodiscard]] constexpr std::size_t offset(PageIndex page) const { return page.value << shift_; }
  [[nodiscard]] constexpr PageIndex page_at(std::size_t offset) const { return {offset >> shift_}; }
  /// The pages that `bytes` bytes need.
  [[nodiscard]] constexpr PageCount pages_for(std::size_t bytes) const {
    return {((bytes - 1) >> shift_) + 1};
  }

 private:
  unsigned shift_;
};

}  // namespace cow
