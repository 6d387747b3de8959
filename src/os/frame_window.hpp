#pragma once

#include <cstddef>
#include <utility>

#include "os/mapping.hpp"

namespace cow::os {

/// Frames mapped to be read, wherever the kernel likes.
class FrameWindow {
 public:
  FrameWindow() noexcept = default;
  /// Nothing if the kernel refuses, with the reason in errno: see begin(). Control calls only.
  static FrameWindow map(const DescriptorName& file, FileOffset at, std::size_t bytes,
                         Advice advice) noexcept;
  FrameWindow(FrameWindow&& other) noexcept
      : begin_(std::exchange(other.begin_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  FrameWindow& operator=(FrameWindow&& other) noexcept {
    std::swap(begin_, other.begin_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~FrameWindow();

  /// Null if nothing is mapped.
  [[nodiscard]] const std::byte* begin() const noexcept { return begin_; }

 private:
  FrameWindow(const std::byte* begin, std::size_t bytes) noexcept : begin_(begin), bytes_(bytes) {}

  const std::byte* begin_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Memory outside of every region, for the kernel to fill and for the time that a lock is held.
class Buffer {
 public:
  /// `bytes` is a multiple of the page size. Throws std::system_error.
  explicit Buffer(std::size_t bytes);
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  [[nodiscard]] std::byte* begin() const noexcept { return begin_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* begin_;
  std::size_t bytes_;
};

/// Of such bytes, or other memory of the library's own, only the pages that are touched are to be
/// taken, also where the kernel gives huge ones unasked. Where it has none there is nothing to do.
void take_small_pages(std::byte* begin, std::size_t bytes) noexcept;

}  // namespace cow::os
