#include "os/frame_window.hpp"

#include <sys/mman.h>

#include <cerrno>

#include "base/refusal.hpp"

namespace cow::os {

FrameWindow FrameWindow::map(const DescriptorName& file, FileOffset at, std::size_t bytes,
                             Advice advice) noexcept {
  const std::byte* const got = map_frames_somewhere(bytes, file, at, advice);
  return got == nullptr ? FrameWindow() : FrameWindow(got, bytes);
}

FrameWindow::~FrameWindow() {
  if (begin_ != nullptr) unmap_frames(begin_, bytes_);
}

Buffer::Buffer(std::size_t bytes) : begin_(map_metadata(bytes)), bytes_(bytes) {
  if (begin_ == nullptr) {
    throw_refused(errno, "mmap", "the bytes of a region could not be carried");
  }
}

Buffer::~Buffer() { unmap_metadata(begin_, bytes_); }

void take_small_pages(std::byte* begin, std::size_t bytes) noexcept {
  if (bytes > 0) static_cast<void>(::madvise(begin, bytes, MADV_NOHUGEPAGE));
}

}  // namespace cow::os
