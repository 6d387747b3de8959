#pragma once

// Memory without libcow, for the other side of a comparison. Always in the host's own pages: huge
// pages are refused, so that a fault here and a fault there are about the same number of bytes.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "stores.hpp"

namespace cow_bench {

/// One mapping, unmapped at the end.
class PlainMemory {
 public:
  /// Anonymous private memory with every page stored to.
  [[nodiscard]] static PlainMemory anonymous(std::size_t bytes);
  /// Anonymous private memory that nobody has touched.
  [[nodiscard]] static PlainMemory untouched(std::size_t bytes);

  PlainMemory(PlainMemory&& other) noexcept;
  PlainMemory& operator=(PlainMemory&&) = delete;
  ~PlainMemory();

  [[nodiscard]] std::byte* data() const { return first_; }
  [[nodiscard]] std::size_t size() const { return bytes_; }
  [[nodiscard]] Pages pages() const;

 private:
  friend class FilledMemfd;
  PlainMemory(int flags, int descriptor, std::size_t bytes);

  std::byte* first_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A memory file with every page written, to be mapped privately: the kernel's copy on write of a
/// file's page.
class FilledMemfd {
 public:
  explicit FilledMemfd(std::size_t bytes);
  FilledMemfd(const FilledMemfd&) = delete;
  FilledMemfd& operator=(const FilledMemfd&) = delete;
  ~FilledMemfd();

  [[nodiscard]] PlainMemory map_private() const;
  [[nodiscard]] PlainMemory map_shared() const;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  std::size_t bytes_ = 0;
};

/// What the kernel has for going back: stores to private copies of a file's pages, which are thrown
/// away. The time of both.
[[nodiscard]] double time_private_rollback(const PlainMemory& memory,
                                           const std::vector<std::size_t>& pages,
                                           std::uint64_t value);

}  // namespace cow_bench
