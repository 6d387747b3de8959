// A stack for the signal handlers of one thread that tells how much of it they used.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <system_error>

namespace support {

/// The calling thread's alternate signal stack while it lives. A page that nobody may touch lies
/// right below: whoever needs more stack dies.
class AlternateStack {
 public:
  explicit AlternateStack(std::size_t bytes)
      : bytes_(bytes), guard_bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
    void* const memory = ::mmap(nullptr, guard_bytes_ + bytes_, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    memory_ = static_cast<std::byte*>(memory);
    ::mprotect(memory_, guard_bytes_, PROT_NONE);
    stack_t mine{};
    mine.ss_sp = lowest();
    mine.ss_size = bytes_;
    if (::sigaltstack(&mine, &earlier_) != 0) {
      const int error = errno;
      ::munmap(memory_, guard_bytes_ + bytes_);
      throw std::system_error(error, std::generic_category(), "sigaltstack");
    }
  }
  ~AlternateStack() {
    ::sigaltstack(&earlier_, nullptr);
    ::munmap(memory_, guard_bytes_ + bytes_);
  }
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;

  void paint() { std::fill_n(lowest(), bytes_, paint_byte); }

  /// Bytes from the top down to the lowest one that was stored to since paint().
  [[nodiscard]] std::size_t depth() const {
    const std::byte* const top = lowest() + bytes_;
    return static_cast<std::size_t>(top -
                                    std::find_if(static_cast<const std::byte*>(lowest()), top,
                                                 [](std::byte b) { return b != paint_byte; }));
  }

  /// What the system needs to deliver a signal at all.
  static std::size_t minimal_bytes() {
    const long bytes = ::sysconf(_SC_MINSIGSTKSZ);
    return static_cast<std::size_t>(bytes > 0 ? bytes : MINSIGSTKSZ);
  }

 private:
  static constexpr std::byte paint_byte{0xa5};

  [[nodiscard]] std::byte* lowest() const { return memory_ + guard_bytes_; }

  std::size_t bytes_;
  std::size_t guard_bytes_;
  std::byte* memory_ = nullptr;
  stack_t earlier_{};
};

}  // namespace support
