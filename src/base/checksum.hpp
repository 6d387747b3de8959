#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cow {

/// XXH3 (Yann Collet's xxHash): finds accidents, not forgeries. The same on every host.
std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed) noexcept;

using Checksum128 = std::array<std::uint64_t, 2>;
Checksum128 checksum128(std::span<const std::byte> bytes) noexcept;

}  // namespace cow
