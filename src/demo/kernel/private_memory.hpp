#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "demo/record/step.hpp"

namespace cow::demo {

/// Memory that the kernel copies on write: mmap with MAP_PRIVATE, and nothing of libcow.
class PrivateMemory {
 public:
  /// Some pages, each filled with a letter. Throws std::system_error.
  explicit PrivateMemory(std::size_t pages);
  ~PrivateMemory();
  PrivateMemory(const PrivateMemory&) = delete;
  PrivateMemory& operator=(const PrivateMemory&) = delete;

  /// Stores to the page; how many page faults that took, by the kernel's count for this thread.
  std::uint64_t store(std::size_t page, std::byte value);

  /// What /proc/self/pagemap says of it in this process: which pages others map, too. It does not
  /// say what is writable: that is what this process has stored to itself. To be asked for after
  /// fork(). Nothing where it cannot be read.
  [[nodiscard]] std::optional<RegionView> look(const std::string& name) const;

 private:
  [[nodiscard]] std::byte* at(std::size_t page) const { return data_ + page * page_bytes_; }

  std::byte* data_ = nullptr;
  std::size_t pages_;
  std::size_t page_bytes_;
  std::vector<bool> stored_;
};

/// Page faults of this thread so far that needed no disk.
[[nodiscard]] std::uint64_t minor_faults();

}  // namespace cow::demo
