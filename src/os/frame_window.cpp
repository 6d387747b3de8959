#include "os/frame_window.hpp"

#include <sys/mman.h>

#include <cerrno>

#include "base/refusal.hpp"
#include "os/mapping.hpp"

namespace cow::os {

// libc's mmap and munmap, not the raw calls: see mapping.cpp.
FrameWindow FrameWindow::map(const DescriptorName& file, FileOffset at,
                             std::size_t bytes) noexcept {
  if (!file.is_intact()) {
    errno = EBADF;
    return {};
  }
  void* const got =
      ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.number, static_cast<off_t>(at.bytes));
  if (got == MAP_FAILED) return {};
  return {static_cast<std::byte*>(got), bytes};
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

}  // namespace cow::os
