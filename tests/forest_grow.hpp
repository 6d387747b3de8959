// Regions of a forest that grow, and what the model knows of different sizes: the bytes are zeros
// then, and a restore brings a size back.
#pragma once

#include <algorithm>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

#include "forest_image.hpp"
#include "support.hpp"

namespace support {

inline std::size_t pages_in(std::size_t bytes) { return (bytes + page_bytes() - 1) / page_bytes(); }

/// RegionOptions::most_bytes of a new region of `size` bytes: some have room. None where the kernel
/// copies, as it cannot be had there.
inline std::size_t room_to_grow(Random& random, std::size_t size) {
  if (kernel_copies() || random.one_in(2)) return 0;
  const std::size_t more = random.one_in(8) ? 1200 * page_bytes() : 40 * page_bytes();
  return size + random.below(more);
}

/// Where it lies, and the room behind it.
inline std::span<const std::byte> addresses_of(const LiveRegion& live, std::size_t most_bytes) {
  return {live.region.data(), std::max(live.region.size(), most_bytes)};
}

/// Makes the region longer, by a few bytes or by pages, or asks for more than there is room for,
/// which has to be refused and to change nothing. Empty, or what is wrong.
inline std::string grow_some(Random& random, LiveRegion& live, std::size_t most_bytes,
                             std::uint64_t& last_version) {
  const std::size_t size = live.image.bytes.size();
  const std::size_t most = std::max(most_bytes, size);
  const std::byte* const address = live.region.data();
  if (most == size || random.one_in(8)) {
    try {
      live.region.grow(most + 1 + random.below(100));
    } catch (const std::invalid_argument&) {
      return live.region.size() == size ? "" : "a grow that was refused changed the size";
    }
    return "a region grew beyond what was reserved for it";
  }
  const std::size_t more = random.one_in(3)
                               ? random.between(1, std::min<std::size_t>(100, most - size))
                               : random.between(1, most - size);
  live.region.grow(size + more);
  live.image.bytes.resize(size + more);
  live.image.versions.resize(pages_in(size + more));
  mark_stored(live.image, live.region.page_bytes(), size, more, last_version);
  if (live.region.data() != address) return "a region that grew has another address";
  return live.region.size() == size + more ? "" : "a region that grew has another size";
}

}  // namespace support
