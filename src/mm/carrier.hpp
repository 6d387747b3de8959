#pragma once

#include <algorithm>
#include <cerrno>

#include "base/refusal.hpp"
#include "mm/frame_store.hpp"
#include "os/mapping.hpp"

namespace cow {

/// Memory for carrying bytes from frame to frame, outside of any region. Control calls only.
class Carrier {
 public:
  /// Throws std::system_error.
  explicit Carrier(PageGeometry geometry)
      : geometry_(geometry), buffer_(os::map_metadata(geometry.bytes(kPages))) {
    if (buffer_ == nullptr) {
      throw_refused(errno, "mmap", "the frames of a region could not be copied");
    }
  }
  ~Carrier() { os::unmap_metadata(buffer_, geometry_.bytes(kPages)); }
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  /// 0 or an errno value.
  [[nodiscard]] int carry(FrameStore& frames, FrameRun from, Frame to) const noexcept {
    int error = 0;
    for (PageCount done{0}; error == 0 && done < from.count;) {
      const PageCount step = std::min(kPages, from.count - done);
      const Frame source = from.first.after(done);
      const Frame target = to.after(done);
      error = os::read_frames(frames.file(source), buffer_, geometry_.bytes(step),
                              frames.offset(source));
      if (error != 0) break;
      error = frames.fill({target, step}, buffer_);
      done = done + step;
    }
    return error;
  }

 private:
  static constexpr PageCount kPages{16};
  PageGeometry geometry_;
  std::byte* buffer_;
};

}  // namespace cow
