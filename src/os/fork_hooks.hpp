#pragma once

#include <cstddef>
#include <utility>

#include "os/descriptor.hpp"

namespace cow::os {

/// Tells a parent when a child process and all its descendants are gone or have become another
/// program. It is an empty file that only they keep mapped: the kernel refuses to seal a file
/// against writing for as long as somebody has it mapped so. Unlike a pipe, it does not depend on
/// descriptors that a child might close.
class Lifeline {
 public:
  Lifeline() noexcept = default;
  Lifeline(Lifeline&& other) noexcept
      : file_(std::move(other.file_)), mapping_(std::exchange(other.mapping_, nullptr)) {}
  Lifeline& operator=(Lifeline&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(mapping_, other.mapping_);
    return *this;
  }
  ~Lifeline();

  /// Not open where no descriptor or mapping is left.
  static Lifeline open() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }
  void keep_parent_end() noexcept;
  void keep_child_end() noexcept;
  [[nodiscard]] bool has_ended() const noexcept;

 private:
  Descriptor file_;
  std::byte* mapping_ = nullptr;
};

/// Registers functions that fork() calls before, and after it in the parent and in the child.
/// Throws std::system_error.
void at_fork(void (*prepare)() noexcept, void (*parent)() noexcept, void (*child)() noexcept);

}  // namespace cow::os
