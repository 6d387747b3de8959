#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "os/descriptor.hpp"

namespace cow::os {

/// A descriptor of the user's that is written from front to end: a pipe, a socket, a file, a
/// device. It keeps a descriptor of its own for the same thing, so the user may close his, and
/// leaves the flags of the user's alone. For a thread that has SIGPIPE and SIGXFSZ masked.
class OutputStream {
 public:
  /// Writes fail when nothing was taken for `longest_stall`, or soon after `is_cancelled`. Throws
  /// std::system_error: no such descriptor, or not open for writing.
  OutputStream(int number, std::chrono::milliseconds longest_stall,
               const std::atomic<bool>& is_cancelled);

  /// All of it. Throws std::system_error with a sentence: EPIPE if the reader is gone, ETIMEDOUT,
  /// ECANCELED, or what the kernel says.
  void write(const std::byte* bytes, std::size_t size);

  [[nodiscard]] const DescriptorName& descriptor() const noexcept { return descriptor_.name(); }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept { return bytes_written_; }

 private:
  enum class Kind { file, pipe, socket, other };

  [[nodiscard]] std::size_t most_at_once(std::size_t size) const noexcept;
  [[nodiscard]] long write_some(const std::byte* bytes, std::size_t size) const noexcept;
  void wait_until_ready(std::chrono::steady_clock::time_point taken_last) const;
  void check_patience(std::chrono::steady_clock::time_point taken_last) const;
  [[noreturn]] void refuse(int error) const;

  int number_;  ///< for sentences
  Descriptor descriptor_;
  Kind kind_ = Kind::other;
  bool may_block_ = true;  ///< a write that is larger than what poll() has promised
  std::chrono::milliseconds longest_stall_;
  const std::atomic<bool>& is_cancelled_;
  std::uint64_t bytes_written_ = 0;
};

}  // namespace cow::os
