#include "base/checksum.hpp"

#define XXH_INLINE_ALL  // from the header alone: who links libcow needs no library
#include <xxhash.h>

namespace cow {

std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Checksum128 checksum128(std::span<const std::byte> bytes) noexcept {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

namespace {

XXH3_state_t* state_in(std::byte* bytes) noexcept { return reinterpret_cast<XXH3_state_t*>(bytes); }

}  // namespace

RunningChecksum::RunningChecksum() noexcept {
  static_assert(sizeof(XXH3_state_t) <= kStateBytes && alignof(XXH3_state_t) <= 64);
  XXH3_128bits_reset(state_in(state_.data()));
}

void RunningChecksum::add(std::span<const std::byte> bytes) noexcept {
  XXH3_128bits_update(state_in(state_.data()), bytes.data(), bytes.size());
}

Checksum128 RunningChecksum::value() const noexcept {
  const XXH128_hash_t hash =
      XXH3_128bits_digest(reinterpret_cast<const XXH3_state_t*>(state_.data()));
  return {hash.low64, hash.high64};
}

}  // namespace cow
