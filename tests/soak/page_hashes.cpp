#include "soak/page_hashes.hpp"

#include <algorithm>
#include <cstring>

namespace soak {

namespace {

std::uint64_t stir(std::uint64_t state, std::uint64_t word) {
  state = (state ^ word) * 0x9fb21c651e98df25u;
  return state ^ (state >> 32);
}

std::uint64_t load_word(const std::byte* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace

// Four independent lanes: pages are hashed more often than anything else is done here.
std::uint64_t PageHashes::hash(std::span<const std::byte> bytes, std::size_t page) const {
  constexpr std::size_t lanes = 4;
  const std::size_t begin = page * page_bytes_;
  const std::span<const std::byte> rest =
      bytes.subspan(begin, std::min(page_bytes_, bytes.size() - begin));
  std::uint64_t lane[lanes] = {1, 2, 3, 4};
  std::size_t at = 0;
  for (; at + lanes * 8 <= rest.size(); at += lanes * 8) {
    for (std::size_t i = 0; i < lanes; ++i) {
      lane[i] = stir(lane[i], load_word(rest.data() + at + i * 8));
    }
  }
  for (; at < rest.size(); ++at) {
    lane[0] = stir(lane[0], std::to_integer<std::uint64_t>(rest[at]) + 1);
  }
  return stir(stir(stir(lane[0], lane[1]), lane[2]), lane[3]);
}

void PageHashes::set(std::span<const std::byte> bytes, std::size_t begin, std::size_t end) {
  for (std::size_t page = begin / page_bytes_; page * page_bytes_ < end; ++page) {
    hashes_[page] = hash(bytes, page);
  }
}

std::string PageHashes::difference(std::span<const std::byte> bytes) const {
  for (std::size_t page = 0; page < hashes_.size(); ++page) {
    const std::uint64_t seen = hash(bytes, page);
    if (seen == hashes_[page]) continue;
    return "page " + std::to_string(page) + " has changed: its hash was " +
           std::to_string(hashes_[page]) + " and is " + std::to_string(seen);
  }
  return "";
}

}  // namespace soak
