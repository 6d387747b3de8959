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

/// Of a page, which may be the last one or behind the end.
inline std::size_t bytes_in_page(const Image& image, std::size_t index, std::size_t page) {
  const std::size_t begin = std::min(index * page, image.bytes.size());
  return std::min(page, image.bytes.size() - begin);
}

/// Every changed page is there, and every one that one side lacks or has a part of; no page is
/// there that saw no store.
inline std::string check_diff(const std::vector<cow::PageRange>& ranges, const Image& from,
                              const Image& to) {
  std::vector<bool> named(std::max(from.versions.size(), to.versions.size()));
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
    const std::size_t length = bytes_in_page(from, i, page);
    const bool has_other_length = bytes_in_page(to, i, page) != length;
    const bool changed = has_other_length || std::memcmp(from.bytes.data() + i * page,
                                                         to.bytes.data() + i * page, length) != 0;
    const bool stored = has_other_length || from.versions[i] != to.versions[i];
    if (changed && !named[i]) return "a diff lacks page " + std::to_string(i);
    if (named[i] && !stored) return "a diff names page " + std::to_string(i) + " for nothing";
  }
  return "";
}

/// One store a page along a run, the way that makes windows grow.
inline void store_run(Random& random, LiveRegion& live, std::uint64_t& last_version) {
  const std::size_t page = support::page_bytes();
  const std::size_t pages = live.image.versions.size();
  const std::size_t first = random.below(pages);
  const std::size_t count = std::min(random.between(1, 40), pages - first);
  const bool backwards = random.one_in(4);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t target = first + (backwards ? count - 1 - i : i);
    const std::size_t at =
        std::min(target * page + random.below(page), live.image.bytes.size() - 1);
    const auto value = static_cast<std::byte>(random.word());
    live.region.bytes()[at] = value;
    live.image.bytes[at] = value;
    mark_stored(live.image, page, at, 1, last_version);
  }
}

/// Stores to pages that lie apart, the way that takes most mappings.
inline void store_scattered(Random& random, LiveRegion& live, std::uint64_t& last_version) {
  const std::size_t page = support::page_bytes();
  const std::size_t step = random.between(2, 5) * page;
  const std::size_t first = random.below(live.image.bytes.size());
  for (std::size_t at = first; at < live.image.bytes.size() && at < first + 600 * page;
       at += step) {
    const auto value = static_cast<std::byte>(random.word());
    live.region.bytes()[at] = value;
    live.image.bytes[at] = value;
    mark_stored(live.image, page, at, 1, last_version);
  }
}

/// A loop, now and then long enough for pages to become hot and to come to rest: some pages are
/// the same ones in every round, others are not.
inline std::string rollback_rounds(Random& random, LiveRegion& live, const LiveSnapshot& past) {
  const std::size_t bytes = past.image->bytes.size();
  const std::size_t others = random.below(12);
  for (std::size_t left = random.between(1, 100); left > 0; --left) {
    live.region.data()[random.below(bytes) / left] = std::byte{1};
    for (std::size_t i = 0; i < others; ++i) {
      live.region.data()[random.below(bytes)] = static_cast<std::byte>(left);
    }
    if (random.one_in(32)) (void)Region::from_snapshot(past.snapshot);
    if (random.one_in(64)) (void)past.snapshot.bytes();
    if (random.one_in(64)) (void)live.region.snapshot();
    if (random.one_in(16)) {
      const std::size_t from = random.below(bytes);
      live.region.discard(from, random.below(bytes - from + 1));
    }
    live.region.restore(past.snapshot);
    if (std::memcmp(live.region.data(), past.image->bytes.data(), bytes) != 0) {
      return "a round of a rollback loop did not go back";
    }
  }
  return "";
}

/// Drops a handle. Empty if that gives back what the snapshot says, or nothing if it is not the
/// last handle. Nobody can say so while another thread lets go of frames, too.
inline std::string drop_as_predicted(std::vector<LiveSnapshot>& snapshots, std::size_t index,
                                     bool is_alone) {
  const bool is_last_handle = snapshots[index].image.use_count() == 1;
  const std::size_t predicted = is_last_handle ? snapshots[index].snapshot.reclaimable_bytes() : 0;
  const std::size_t before = cow::process_stats().bytes_in_use;
  snapshots.erase(snapshots.begin() + static_cast<std::ptrdiff_t>(index));
  const std::size_t given_back = before - cow::process_stats().bytes_in_use;
  if (given_back == predicted || !is_alone) return "";
  return "a snapshot said that it gives back " + std::to_string(predicted) +
         " bytes, and gave back " + std::to_string(given_back);
}

/// The same for what a region says that has changed since a snapshot of its family.
inline std::string check_changes(const std::vector<LiveRegion>& regions, const LiveSnapshot& from) {
  for (const LiveRegion& live : regions) {
    if (live.family != from.family) continue;
    const auto ranges = live.region.changed_since(from.snapshot);
    const std::string wrong = check_diff(ranges, *from.image, live.image);
    if (!wrong.empty()) return "changed_since: " + wrong;
  }
  return "";
}

}  // namespace support
