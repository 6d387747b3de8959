#pragma once

#include <algorithm>
#include <cstdint>

#include "base/units.hpp"
#include "mm/frames/frame_store.hpp"
#include "os/frame_file.hpp"

namespace cow {

/// Answers "was this frame ever touched?" for frames in ascending order with few system calls. It
/// remembers holes, so make it when nobody can store to any of the frames it will be asked for.
class HoleFinder {
 public:
  explicit HoleFinder(const FrameStore& frames) noexcept : frames_(frames) {}

  [[nodiscard]] bool is_hole(Frame frame) noexcept {
    const os::DescriptorName& file = frames_.file(frame);
    const std::uint64_t begin = frames_.offset(frame).bytes;
    const std::uint64_t end = begin + frames_.geometry().page_bytes();
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
  [[nodiscard]] bool is_all_data(FrameRun run) noexcept {
    return !is_hole(run.first) &&
           frames_.offset(run.first).bytes + frames_.geometry().bytes(run.count) <= known_to_;
  }

 private:
  const FrameStore& frames_;
  os::DescriptorName file_;
  std::uint64_t known_from_ = 1;  // [known_from_, known_to_) is all holes, or all data
  std::uint64_t known_to_ = 0;
  bool known_hole_ = false;
};

}  // namespace cow
