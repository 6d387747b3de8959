#pragma once

#include <algorithm>

#include "mm/frames/frame_store.hpp"
#include "os/frame_window.hpp"

namespace cow {

/// Memory for carrying bytes from frame to frame, outside of any region. Control calls only.
class Carrier {
 public:
  /// Throws std::system_error.
  explicit Carrier(PageGeometry geometry) : buffer_(geometry.bytes(kPages)) {}

  /// 0 or an errno value.
  [[nodiscard]] int carry(FrameStore& frames, FrameRun from, Frame to) const noexcept {
    int error = 0;
    for (PageCount done{0}; error == 0 && done < from.count;) {
      const PageCount step = std::min(kPages, from.count - done);
      error = frames.read({from.first.after(done), step}, buffer_.begin());
      if (error == 0) error = frames.fill({to.after(done), step}, buffer_.begin());
      done = done + step;
    }
    return error;
  }

 private:
  static constexpr PageCount kPages{16};
  os::Buffer buffer_;
};

}  // namespace cow
