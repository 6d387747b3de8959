#include "soak/private_region.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace soak {

PrivateRegion::PrivateRegion(cow::Region region, std::uint64_t family, PageHashes hashes)
    : region_(std::move(region)), family_(family), hashes_(std::move(hashes)) {}

PrivateRegion::PrivateRegion(cow::Region region, std::uint64_t family)
    : region_(std::move(region)),
      family_(family),
      hashes_(std::as_const(region_).bytes(), region_.page_bytes()) {}

void PrivateRegion::store(support::Random& random) {
  const std::size_t size = region_.size();
  const std::size_t page = region_.page_bytes();
  std::byte* const bytes = region_.data();
  const auto value = static_cast<int>(random.below(256));
  switch (random.below(8)) {
    case 0: {  // whole pages, in order
      const std::size_t begin = random.below(size) / page * page;
      const std::size_t end = std::min(size, begin + random.between(1, 24) * page);
      std::memset(bytes + begin, value, end - begin);
      note_store(begin, end);
      return;
    }
    case 1: {  // across the border of two pages
      if (size <= page) return;
      const std::size_t border = random.between(1, (size - 1) / page) * page;
      const std::size_t begin = border - random.between(1, 7);
      const std::size_t end = std::min(size, begin + 8);
      const std::uint64_t word = random.word();
      std::memcpy(bytes + begin, &word, end - begin);
      note_store(begin, end);
      return;
    }
    default: {
      const std::size_t at = random.below(size);
      *static_cast<volatile std::byte*>(bytes + at) = static_cast<std::byte>(value);
      note_store(at, at + 1);
      return;
    }
  }
}

}  // namespace soak
