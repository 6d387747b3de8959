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

  /// With both ends. Not open where no descriptor or mapping is left: errno says why.
  static Lifeline open() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }
  /// In the parent: the descriptor, through which it asks, without the mapping.
  void keep_parent_end() noexcept;
  /// In the child: the mapping, which its own children inherit, without the descriptor.
  void keep_child_end() noexcept;
  /// Asked in the parent. False where the descriptor is not ours any more. Cost: some system calls.
  [[nodiscard]] bool has_ended() const noexcept;

 private:
  Descriptor file_;
  std::byte* mapping_ = nullptr;
};

/// Registers functions that fork() calls before, and after it in the parent and in the child.
/// Throws std::system_error.
void at_fork(void (*prepare)() noexcept, void (*parent)() noexcept, void (*child)() noexcept);

}  // namespace cow::os
