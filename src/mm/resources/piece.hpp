#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/units.hpp"

namespace cow {

/// How much of a longer piece of work may still be done in one hold of a family's lock. Stores wait
/// for as long, so it is a fraction of a millisecond, whatever the work is as a whole.
class Piece {
 public:
  explicit Piece(PageGeometry geometry) noexcept
      : frames_(std::clamp<std::uint64_t>(kMostBytes / geometry.page_bytes(), 1, kMostFrames)) {}

  /// Frames whose references may be dropped, or that may be given back to the kernel.
  [[nodiscard]] std::uint64_t frames() const noexcept { return looks_ > 0 ? frames_ : 0; }
  [[nodiscard]] bool is_used_up() const noexcept { return frames() == 0; }

  /// A part of it.
  [[nodiscard]] Piece at_most(std::uint64_t frames) const noexcept {
    Piece part = *this;
    part.frames_ = std::min(frames_, frames);
    return part;
  }
  void use_frames(std::uint64_t n) noexcept {
    frames_ -= std::min(frames_, n);
    use_looks(n);
  }
  /// Entries and slots that were looked at without anything to do.
  void use_looks(std::uint64_t n) noexcept { looks_ -= std::min(looks_, n); }

  /// No piece takes more of either than this and what one leaf or one group of slots has.
  static constexpr std::uint64_t kMostFrames = 256;
  static constexpr std::uint64_t kMostLooks = 4000;

 private:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;

  std::uint64_t frames_;
  std::uint64_t looks_ = kMostLooks;
};

}  // namespace cow
