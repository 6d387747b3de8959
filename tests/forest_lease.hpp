// Leases in a forest: the kernel writes to them, and a snapshot may have their pages alone.
#pragma once

#include <sys/random.h>

#include <algorithm>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "forest_image.hpp"
#include "support.hpp"

namespace support {

/// Begins or ends a lease, and lets the kernel write into those there are. Empty, or what is wrong.
inline std::string lease_some(Random& random, LiveRegion& live, std::uint64_t& last_version) {
  const std::size_t size = live.image.bytes.size();
  if (live.leases.size() < 3 && random.one_in(2)) {
    const std::size_t offset = random.below(size);
    const std::size_t length = random.below(std::min(size - offset, 40 * std::size_t{4000}) + 1);
    live.leases.push_back(live.region.write_lease(offset, length));
  } else if (!live.leases.empty() && random.one_in(3)) {
    live.leases.erase(live.leases.begin());
  }
  for (const cow::WriteLease& lease : live.leases) {
    if (lease.size() == 0) continue;
    const auto offset = static_cast<std::size_t>(lease.data() - live.region.data());
    if (::getrandom(lease.data(), std::min<std::size_t>(lease.size(), 256), 0) < 0) {
      return "the kernel could not write to leased bytes";
    }
    const std::size_t length = std::min<std::size_t>(lease.size(), 256);
    std::memcpy(live.image.bytes.data() + offset, lease.data(), length);
    mark_stored(live.image, live.region.page_bytes(), offset, length, last_version);
  }
  return "";
}

/// A snapshot that alone has some pages that were leased, and that nobody has stored to or looked
/// at since: the region shows zeros there.
inline LiveSnapshot snapshot_of_leased(Random& random, LiveRegion& live,
                                       std::uint64_t& last_version) {
  const std::size_t page = live.region.page_bytes();
  const std::size_t offset = random.below(live.image.bytes.size());
  const std::size_t length = std::min(8 * page, live.image.bytes.size() - offset);
  { const cow::WriteLease lease = live.region.write_lease(offset, length); }
  for (std::uint64_t& version : live.image.versions) version = ++last_version;
  LiveSnapshot taken{live.region.snapshot(), std::make_shared<const Image>(live.image),
                     live.family};
  live.region.discard(offset, length);
  discard_from(live.image, page, offset, length, last_version);
  return taken;
}

/// Before a restore. The model does not know of leases behind a region's end.
inline void drop_leases_for(LiveRegion& live, const Image& past) {
  if (live.image.bytes.size() != past.bytes.size()) live.leases.clear();
}

}  // namespace support
