#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

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

  [[nodiscard]] std::byte* page(std::size_t index) { return data_ + index * page_bytes_; }

  /// What /proc/self/pagemap says of it in this process. Nothing where it cannot be read.
  [[nodiscard]] std::optional<RegionView> look(const std::string& name) const;

 private:
  std::byte* data_ = nullptr;
  std::size_t pages_;
  std::size_t page_bytes_;
};

/// Page faults of this thread so far that needed no disk.
[[nodiscard]] std::uint64_t minor_faults();

}  // namespace cow::demo
