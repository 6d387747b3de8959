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

/// checksum128() of bytes that come piece by piece.
class RunningChecksum {
 public:
  RunningChecksum() noexcept;
  void add(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] Checksum128 value() const noexcept;

 private:
  static constexpr std::size_t kStateBytes = 576;  // XXH3_state_t's
  alignas(64) std::array<std::byte, kStateBytes> state_{};
};

}  // namespace cow
