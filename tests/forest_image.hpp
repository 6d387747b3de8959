// What the model of a forest has, and knows of a region or a snapshot, and what a diff of two must
// say.
#pragma once

#include <algorithm>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "support.hpp"

namespace support {

using cow::Region;
using cow::Snapshot;
using Bytes = std::vector<std::byte>;

/// What a region or a snapshot must show: its bytes, and for each page the number of the last
/// store to it (0: never). Pages with one number have seen no store apart from each other.
struct Image {
  Bytes bytes;
  std::vector<std::uint64_t> versions;
};

/// The pages with [offset, offset + length) were stored to.
inline void mark_stored(Image& image, std::size_t page, std::size_t offset, std::size_t length,
                        std::uint64_t& last_version) {
  for (std::size_t i = offset / page; i <= (offset + length - 1) / page; ++i) {
    image.versions[i] = ++last_version;
  }
}

/// The whole pages of [offset, offset + length) become zeros, and count as stored to.
inline void discard_from(Image& image, std::size_t page, std::size_t offset, std::size_t length,
                         std::uint64_t& last_version) {
  for (std::size_t i = 0; i < image.versions.size(); ++i) {
    const std::size_t end = std::min((i + 1) * page, image.bytes.size());
    if (i * page < offset || end > offset + length) continue;
    std::fill(image.bytes.begin() + static_cast<std::ptrdiff_t>(i * page),
              image.bytes.begin() + static_cast<std::ptrdiff_t>(end), std::byte{0});
    image.versions[i] = ++last_version;
  }
}

struct LiveRegion {
  Region region;
  Image image;
  std::size_t family;
  std::vector<cow::WriteLease> leases{};
};

struct LiveSnapshot {
  Snapshot snapshot;
  std::shared_ptr<const Image> image;
  std::size_t family;
};

/// Every changed page is there; no page is there that saw no store.
inline std::string check_diff(const std::vector<cow::PageRange>& ranges, const Image& from,
                              const Image& to) {
  std::vector<bool> named(from.versions.size());
  std::size_t next_allowed = 0;
  for (const cow::PageRange& range : ranges) {
    if (range.page_count == 0 || range.first_page < next_allowed ||
        range.first_page + range.page_count > named.size()) {
      return "the ranges of a diff are not in order, joined and within the region";
    }
    next_allowed = range.first_page + range.page_count + 1;
    for (std::size_t i = 0; i < range.page_count; ++i) named[range.first_page + i] = true;
  }
  const std::size_t page = support::page_bytes();
  for (std::size_t i = 0; i < named.size(); ++i) {
    const std::size_t length = std::min(page, from.bytes.size() - i * page);
    const bool changed =
        std::memcmp(from.bytes.data() + i * page, to.bytes.data() + i * page, length) != 0;
    const bool stored = from.versions[i] != to.versions[i];
    if (changed && !named[i]) return "a diff lacks page " + std::to_string(i);
    if (named[i] && !stored) return "a diff names page " + std::to_string(i) + " for nothing";
  }
  return "";
}

}  // namespace support
