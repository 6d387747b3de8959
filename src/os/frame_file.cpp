#include "os/frame_file.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "base/refusal.hpp"
#include "os/host.hpp"
#include "os/syscall.hpp"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3; older kernels say EINVAL
#endif

namespace cow::os {

namespace {

// Room for 2^24 regions of 4 GiB; the kernel's own limit is 2^63.
constexpr std::uint64_t kRoomBytes = std::uint64_t{1} << 56;

Descriptor open_memfd() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const auto open = [](unsigned flags) {
    return static_cast<int>(raw_syscall(SYS_memfd_create, argument("cow-frames"), flags));
  };
  int descriptor = open(kFlags | MFD_NOEXEC_SEAL);
  if (descriptor == -EINVAL) {
    descriptor = open(kFlags);
    if (descriptor >= 0) ::fchmod(descriptor, 0600);  // memfds of old start out executable
  }
  if (descriptor < 0) {
    throw_refused(-descriptor, "memfd_create",
                  "no frame file could be opened for a new region, and every family needs one");
  }
  Descriptor owned(descriptor);
  if (!owned.is_open()) throw_refused(errno, "fstat", "a new frame file could not be looked at");
  return owned;
}

// A whole transfer by pieces: `transfer(done)` returns bytes moved or minus an errno value.
template <class Transfer>
int in_pieces(std::size_t bytes, int when_nothing_moves, const Transfer& transfer) noexcept {
  for (std::size_t done = 0; done < bytes;) {
    const long moved = transfer(done);
    if (moved == -EINTR) continue;
    if (moved < 0) return static_cast<int>(-moved);
    if (moved == 0) return when_nothing_moves;
    done += static_cast<std::size_t>(moved);
  }
  return 0;
}

// A signal may interrupt it at any size.
long fallocate_frames(const DescriptorName& file, std::uintptr_t mode, FileOffset at,
                      std::size_t bytes) noexcept {
  return uninterrupted(
      [&] { return raw_syscall(SYS_fallocate, file.argument(), mode, at.bytes, bytes); });
}

}  // namespace

FrameFile FrameFile::create() {
  FrameFile file(open_memfd(), std::min(kRoomBytes, writable_room_bytes()));
  const auto room = static_cast<off_t>(file.room_bytes_);
  if (room == 0 ||
      uninterrupted_by_libc([&] { return ::ftruncate(file.descriptor(), room); }) != 0) {
    throw_refused(room == 0 ? EFBIG : errno, "ftruncate",
                  "the frame file of a new region could not be given any room");
  }
  if (::fcntl(file.descriptor(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    throw_refused(errno, "fcntl(F_ADD_SEALS)",
                  "the frame file of a new region could not be sealed");
  }
  file.descriptor_.mark();
  return file;
}

std::size_t FrameFile::resident_bytes() const {
  constexpr std::size_t kBlockBytes = 512;  // st_blocks counts these, whatever the page size
  struct stat status {};
  if (!is_intact() || ::fstat(descriptor(), &status) != 0) {
    throw_refused(is_intact() ? errno : EBADF, "fstat",
                  "the memory of a frame file could not be asked for");
  }
  return static_cast<std::size_t>(status.st_blocks) * kBlockBytes;
}

std::uint64_t writable_room_bytes() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kRoomBytes;
  const std::uint64_t page = page_bytes();
  return limit.rlim_cur / page * page;
}

int write_frames(const DescriptorName& file, const std::byte* source, std::size_t bytes,
                 FileOffset to) noexcept {
  if (!file.is_intact()) return EBADF;
  return in_pieces(bytes, ENOSPC, [&](std::size_t done) {
    return raw_syscall(SYS_pwrite64, file.argument(), argument(source + done), bytes - done,
                       to.bytes + done);
  });
}

// If the one call does less, all of it is done again piece by piece: what fails then is a piece.
int gather_frames(const DescriptorName& file, std::span<const iovec> sources,
                  FileOffset to) noexcept {
  if (!file.is_intact()) return EBADF;
  if (sources.size() > 1) {
    long bytes = 0;
    for (const iovec& source : sources) bytes += static_cast<long>(source.iov_len);
    const long moved = raw_syscall(SYS_pwritev, file.argument(), argument(sources.data()),
                                   sources.size(), to.bytes, 0);
    if (moved == bytes) return 0;
  }
  for (const iovec& source : sources) {
    const int error =
        write_frames(file, static_cast<const std::byte*>(source.iov_base), source.iov_len, to);
    if (error != 0) return error;
    to.bytes += source.iov_len;
  }
  return 0;
}

int read_frames(const DescriptorName& file, std::byte* target, std::size_t bytes,
                FileOffset from) noexcept {
  if (!file.is_intact()) return EBADF;
  return in_pieces(bytes, EIO, [&](std::size_t done) {
    return raw_syscall(SYS_pread64, file.argument(), argument(target + done), bytes - done,
                       from.bytes + done);
  });
}

int allocate_frames(const DescriptorName& file, FileOffset at, std::size_t bytes) noexcept {
  if (!file.is_intact()) return EBADF;
  return static_cast<int>(-fallocate_frames(file, 0, at, bytes));
}

int zero_frames(const DescriptorName& file, FileOffset at, std::size_t bytes) noexcept {
  if (!file.is_intact()) return EBADF;
  static constexpr std::array<std::byte, 8 << 10> kZeros{};
  return in_pieces(bytes, ENOSPC, [&](std::size_t done) {
    return raw_syscall(SYS_pwrite64, file.argument(), argument(kZeros.data()),
                       std::min(bytes - done, kZeros.size()), at.bytes + done);
  });
}

// Only where there are frames: zeros written to a hole would take one.
int zero_data(const DescriptorName& file, FileOffset at, std::size_t bytes) noexcept {
  const std::uint64_t end = at.bytes + bytes;
  int error = 0;
  for (std::uint64_t data = next_data(file, at.bytes); error == 0 && data < end;) {
    const std::uint64_t hole = std::min(next_hole(file, data), end);
    error = zero_frames(file, {data}, hole - data);
    data = next_data(file, hole);
  }
  return error;
}

bool punch_frames(const DescriptorName& file, FileOffset at, std::size_t bytes) noexcept {
  if (!file.is_intact()) return false;
  constexpr std::uintptr_t kPunch = 0x02 | 0x01;  // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
  const long result = fallocate_frames(file, kPunch, at, bytes);
  // Whoever gets the frames next must not see these bytes, even if the memory cannot be returned.
  return result >= 0 || zero_data(file, at, bytes) == 0;
}

std::uint64_t next_data(const DescriptorName& file, std::uint64_t from) noexcept {
  if (!file.is_intact()) return from;
  const long at =
      uninterrupted([&] { return raw_syscall(SYS_lseek, file.argument(), from, SEEK_DATA); });
  file.put_mark_back();
  if (at == -ENXIO) return kRoomBytes;                    // no data up to the end
  return at < 0 ? from : static_cast<std::uint64_t>(at);  // cannot tell: as if there were
}

int find_hole(const DescriptorName& file, std::uint64_t from, std::uint64_t& at) noexcept {
  if (!file.is_intact()) return EBADF;
  const long found =
      uninterrupted([&] { return raw_syscall(SYS_lseek, file.argument(), from, SEEK_HOLE); });
  file.put_mark_back();
  if (found < 0) return static_cast<int>(-found);
  at = static_cast<std::uint64_t>(found);
  return 0;
}

std::uint64_t next_hole(const DescriptorName& file, std::uint64_t from) noexcept {
  std::uint64_t at = kRoomBytes;
  return find_hole(file, from, at) == 0 ? at : kRoomBytes;
}

}  // namespace cow::os
