#include "os/descriptor.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>

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

}  // namespace

bool DescriptorName::is_intact() const noexcept {
  struct stat status {};
  if (number < 0) return false;
  if (::fstat(number, &status) != 0) return errno != EBADF;
  return status.st_dev == device && status.st_ino == file;
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
  struct stat status {};
  if (::fstat(name_.number, &status) != 0) {
    close_number(std::exchange(name_.number, -1));
    return;
  }
  name_.device = status.st_dev;
  name_.file = status.st_ino;
}

}  // namespace cow::os
