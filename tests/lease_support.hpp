// What the tests of leases have in common.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "support.hpp"

namespace support {

inline cow::WriteLease lease_pages(cow::Region& region, std::size_t first, std::size_t count) {
  return region.write_lease(first * page_bytes(), count * page_bytes());
}

/// The bytes of `count` pages from `page` on.
inline std::span<std::byte> pages_of(cow::Region& region, std::size_t page, std::size_t count = 1) {
  return region.bytes().subspan(page * page_bytes(), count * page_bytes());
}
inline std::span<const std::byte> pages_of(const cow::Snapshot& snapshot, std::size_t page,
                                           std::size_t count = 1) {
  return snapshot.bytes().subspan(page * page_bytes(), count * page_bytes());
}

/// Lets the kernel store `bytes` of `pattern` there, by pread(2). False if it refuses.
inline bool kernel_fills(std::span<std::byte> bytes, std::uint64_t pattern) {
  std::vector<std::byte> plain(bytes.size());
  fill(plain, pattern);
  const int file = ::memfd_create("source", MFD_CLOEXEC);
  const auto size = static_cast<ssize_t>(plain.size());
  const bool full = ::pwrite(file, plain.data(), plain.size(), 0) == size &&
                    ::pread(file, bytes.data(), bytes.size(), 0) == size;
  ::close(file);
  return full;
}

}  // namespace support
