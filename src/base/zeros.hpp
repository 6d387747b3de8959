#pragma once

#include <cstddef>
#include <cstring>
#include <span>

namespace cow {

/// Whether there is nothing but zeros. At the speed of memcmp: the bytes are alike if each is like
/// its neighbour.
inline bool is_all_zeros(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty()) return true;
  return bytes[0] == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

}  // namespace cow
