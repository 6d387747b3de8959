#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/units.hpp"
#include "os/frame_file.hpp"

namespace cow {

/// Answers "was this frame ever touched?" for frames in ascending order with few system calls. It
/// remembers holes, so make it when nobody can store to any of the frames it will be asked for.
class HoleFinder {
 public:
  explicit HoleFinder(PageGeometry geometry) noexcept : page_bytes_(geometry.page_bytes()) {}

  [[nodiscard]] bool is_hole(const os::DescriptorName& file, os::FileOffset frame) noexcept {
    const std::uint64_t begin = frame.bytes;
    const std::uint64_t end = begin + page_bytes_;
    if (file != file_ || begin < known_from_ || end > known_to_) {
      const std::uint64_t data = os::next_data(file, begin);
      file_ = file;
      known_from_ = begin;
      known_hole_ = data >= end;
      known_to_ = known_hole_ ? data : std::max(end, os::next_hole(file, data));
    }
    return known_hole_;
  }

  /// Whether all frames of a run were touched.
  [[nodiscard]] bool is_all_data(const os::DescriptorName& file, os::FileOffset first,
                                 std::size_t bytes) noexcept {
    return !is_hole(file, first) && first.bytes + bytes <= known_to_;
  }

 private:
  std::size_t page_bytes_;
  os::DescriptorName file_;
  std::uint64_t known_from_ = 1;  // [known_from_, known_to_) is all holes, or all data
  std::uint64_t known_to_ = 0;
  bool known_hole_ = false;
};

}  // namespace cow
