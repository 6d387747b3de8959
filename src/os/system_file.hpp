// Files of /proc and /sys, read with system calls of our own. What libc and the stream library read
// with may be ended by a signal, and says then what it says of a file that is not there; libc's are
// cancellation points, too, and nothing of ours may be left half done.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "os/syscall.hpp"

namespace cow::os {

/// Calls `use(data, size)` with each piece of the file at `path`. 0 or an errno value, after which
/// some pieces may have been used. A signal that interrupts it changes nothing.
/// Signal context: yes, if `use` may be called there.
template <class Use>
int read_system_file(const char* path, const Use& use) {
  constexpr int here = AT_FDCWD;
  const long opened = uninterrupted([&] {
    return raw_syscall(SYS_openat, static_cast<std::uintptr_t>(here), argument(path),
                       O_RDONLY | O_CLOEXEC);
  });
  if (opened < 0) return static_cast<int>(-opened);
  struct Closing {
    std::uintptr_t number;
    ~Closing() { raw_syscall(SYS_close, number); }
  };
  const Closing file{static_cast<std::uintptr_t>(opened)};
  std::array<char, 16384> piece{};
  for (;;) {
    const long size = uninterrupted(
        [&] { return raw_syscall(SYS_read, file.number, argument(piece.data()), piece.size()); });
    if (size <= 0) return static_cast<int>(-size);
    use(piece.data(), static_cast<std::size_t>(size));
  }
}

/// The first characters of a small file, as many as there is room for; none if it cannot be read.
template <std::size_t most>
class SystemFileStart {
 public:
  explicit SystemFileStart(const char* path) noexcept
      : error_(read_system_file(path, [this](const char* data, std::size_t size) {
          const std::size_t fitting = std::min(size, most - size_);
          std::copy_n(data, fitting, text_.data() + size_);
          size_ += fitting;
        })) {}

  /// Valid as long as this.
  [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }
  /// 0, or the errno value with which it could not be read.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  std::array<char, most> text_{};
  std::size_t size_ = 0;
  int error_;  // after what the reading fills in
};

}  // namespace cow::os
