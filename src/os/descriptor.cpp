#include "os/descriptor.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "os/host.hpp"
#include "os/syscall.hpp"

namespace cow::os {

namespace {

constexpr rlim_t kOutOfTheWay = 512;

// Unlike close(3) no cancellation point: destructors end here.
void close_number(int number) noexcept {
  raw_syscall(SYS_close, static_cast<std::uintptr_t>(number));
}

int move_out_of_the_way(int number) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return number;
  const auto lowest = static_cast<int>(std::min(kOutOfTheWay, limit.rlim_cur / 2));
  if (number >= lowest) return number;
  const int moved = ::fcntl(number, F_DUPFD_CLOEXEC, lowest);
  if (moved < 0) return number;  // none is free up there
  close_number(number);
  return moved;
}

// Fills in which file the number names. 0 or an errno value. Not a part of its callers: a fault
// that finds the mark must not take the stack for what the kernel fills in here.
__attribute__((noinline)) int look_at(DescriptorName& name) noexcept {
  struct statx found {};
  const long error = raw_syscall(SYS_statx, name.argument(), argument(""), AT_EMPTY_PATH, STATX_INO,
                                 argument(&found));
  if (error == 0) {
    name.device = makedev(found.stx_dev_major, found.stx_dev_minor);
    name.file = found.stx_ino;
    return 0;
  }
  if (error == -EBADF) return EBADF;
  struct stat status {};  // where a filter of system calls does not know statx
  const long refusal = raw_syscall(SYS_fstat, name.argument(), argument(&status));
  if (refusal != 0) return static_cast<int>(-refusal);
  name.device = status.st_dev;
  name.file = status.st_ino;
  return 0;
}

long position(const DescriptorName& name) noexcept {
  return raw_syscall(SYS_lseek, name.argument(), 0, SEEK_CUR);
}

}  // namespace

bool DescriptorName::is_intact() const noexcept {
  if (number < 0) return false;
  // A fault can afford no more: asking which file it is takes the kernel twice as long.
  if (mark != 0 && position(*this) == static_cast<long>(mark)) return true;
  DescriptorName now{.number = number};
  const int error = look_at(now);
  return error == 0 ? now.device == device && now.file == file : error != EBADF;
}

void DescriptorName::put_mark_back() const noexcept {
  if (mark != 0) raw_syscall(SYS_lseek, argument(), mark, SEEK_SET);
}

// From the multiplication of Knuth's, "The Art of Computer Programming", 6.4, so that no two files
// of a process, or of two libraries in one, have the same.
void Descriptor::mark() noexcept {
  constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;
  const std::uint64_t word = (monotonic_ns() + name_.file * kGoldenRatio) * kGoldenRatio;
  name_.mark = word >> 2 | std::uint64_t{1} << 60;
  name_.put_mark_back();
  if (position(name_) != static_cast<long>(name_.mark)) name_.mark = 0;  // the file is not for that
}

void DescriptorName::close_if_intact() const noexcept {
  if (is_intact()) close_number(number);
}

std::size_t DescriptorName::resident_bytes() const noexcept {
  constexpr std::size_t kBlockBytes = 512;  // st_blocks counts these, whatever the page size
  struct stat status {};
  if (number < 0 || ::fstat(number, &status) != 0) return 0;
  const bool is_ours = status.st_dev == device && status.st_ino == file;
  return is_ours ? static_cast<std::size_t>(status.st_blocks) * kBlockBytes : 0;
}

Descriptor::Descriptor(int number) noexcept {
  if (number < 0) return;
  name_.number = move_out_of_the_way(number);
  if (const int error = look_at(name_); error != 0) {
    close_number(std::exchange(name_.number, -1));
    errno = error;
  }
}

}  // namespace cow::os
