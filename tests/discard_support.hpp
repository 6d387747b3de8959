// What the tests of Region::discard have in common.
#pragma once

#include <algorithm>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support.hpp"

namespace discarding {

inline constexpr std::size_t pages = 1200;  // of three leaves, the last of which is not whole

inline cow::Region filled(std::uint64_t pattern = 1,
                          const cow::RegionOptions& options = support::single_page_options()) {
  cow::Region region = cow::Region::create(pages * support::page_bytes(), options);
  support::fill(region.bytes(), pattern);
  return region;
}

inline void discard_pages(cow::Region& region, std::size_t first, std::size_t count) {
  region.discard(first * region.page_bytes(), count * region.page_bytes());
}

/// The bytes of a region that was filled, with `count` pages of zeros from `first` on.
inline std::vector<std::byte> with_zeros(std::vector<std::byte> bytes, std::size_t first,
                                         std::size_t count) {
  const std::size_t page = support::page_bytes();
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(first * page), count * page,
              std::byte{0});
  return bytes;
}

inline std::size_t pages_in_use() {
  return cow::process_stats().bytes_in_use / support::page_bytes();
}

}  // namespace discarding
