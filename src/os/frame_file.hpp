#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "os/descriptor.hpp"

namespace cow::os {

/// A position in a frame file, in bytes.
struct FileOffset {
  std::uint64_t bytes = 0;
};

/// A sealed, close-on-exec, non-executable memfd that holds frames. It is sparse: its size is
/// address room, and memory is taken only where bytes were written.
class FrameFile {
 public:
  /// Throws std::system_error.
  static FrameFile create();

  [[nodiscard]] int descriptor() const noexcept { return descriptor_.number(); }
  [[nodiscard]] const DescriptorName& name() const noexcept { return descriptor_.name(); }
  /// Gives up the descriptor without closing it.
  [[nodiscard]] DescriptorName release() noexcept { return descriptor_.release(); }
  /// False if the program has closed our descriptor.
  [[nodiscard]] bool is_intact() const noexcept { return descriptor_.is_intact(); }
  /// Bytes of room; no frame lies beyond.
  [[nodiscard]] std::uint64_t room_bytes() const noexcept { return room_bytes_; }
  /// Bytes of memory the kernel has allocated to it. Throws std::system_error, also if the program
  /// has closed the descriptor.
  [[nodiscard]] std::size_t resident_bytes() const;

 private:
  FrameFile(Descriptor descriptor, std::uint64_t room_bytes) noexcept
      : descriptor_(std::move(descriptor)), room_bytes_(room_bytes) {}

  Descriptor descriptor_;
  std::uint64_t room_bytes_;
};

/// How far into a file this process may write now (RLIMIT_FSIZE): beyond, the kernel would raise
/// SIGXFSZ, also for a file that lives in memory.
std::uint64_t writable_room_bytes() noexcept;

// Each of the following first makes sure that `file` still names our file, and touches nothing if
// it does not: it fails with EBADF, and to who looks for data all looks like data.

/// Copies `bytes` bytes at `source`, a mapped address, into a frame file. The kernel allocates the
/// frames; unlike a store through a mapping this can fail and say so. 0 or an errno value.
/// Signal context: yes.
int write_frames(const DescriptorName& file, const std::byte* source, std::size_t bytes,
                 FileOffset to) noexcept;

/// The same from several places, at most IOV_MAX, to frames that lie side by side. Control calls
/// only.
int gather_frames(const DescriptorName& file, std::span<const iovec> sources,
                  FileOffset to) noexcept;

/// Copies frames into memory that is in no region; holes read as zeros and stay holes. Also for a
/// user's file, which may end before: EIO. 0 or an errno value.
int read_frames(const DescriptorName& file, std::byte* target, std::size_t bytes,
                FileOffset from) noexcept;

/// Allocates frames of zeros. 0 or an errno value. Signal context: yes.
int allocate_frames(const DescriptorName& file, FileOffset at, std::size_t bytes) noexcept;

/// Overwrites frames with zeros and keeps them. 0 or an errno value. Signal context: yes.
int zero_frames(const DescriptorName& file, FileOffset at, std::size_t bytes) noexcept;

/// Gives frames back to the kernel; the range reads as zeros afterwards. Signal context: yes.
/// Where the kernel refuses they are kept and cleared. False if that is impossible, too.
[[nodiscard]] bool punch_frames(const DescriptorName& file, FileOffset at,
                                std::size_t bytes) noexcept;

/// The first byte at or after `from` that has a frame, and the first that has none; if there is
/// none, a number that no frame of any file reaches. Cost: O(frames passed over). Signal context:
/// yes.
std::uint64_t next_data(const DescriptorName& file, std::uint64_t from) noexcept;
std::uint64_t next_hole(const DescriptorName& file, std::uint64_t from) noexcept;
/// The same for who must not take what the kernel does not tell for data. Returns an errno.
[[nodiscard]] int find_hole(const DescriptorName& file, std::uint64_t from,
                            std::uint64_t& at) noexcept;

}  // namespace cow::os
