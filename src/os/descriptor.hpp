#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace cow::os {

/// A descriptor's number, with what tells whether it still names our file: a program may close
/// descriptors it does not know, closefrom(3), and open other files under their numbers.
struct DescriptorName {
  int number = -1;
  std::uint64_t device = 0;
  std::uint64_t file = 0;

  /// Cost: one fstat.
  [[nodiscard]] bool is_intact() const noexcept;
  void close_if_intact() const noexcept;
  /// Memory that the file takes, if it is one that lives in memory; 0 if it cannot be told.
  [[nodiscard]] std::size_t resident_bytes() const noexcept;
};

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  /// Takes over `number`, or nothing if it is negative. Moves it out of the way, above the numbers
  /// that programs get for their own files and that daemons close and shells reuse.
  explicit Descriptor(int number) noexcept;
  Descriptor(Descriptor&& other) noexcept : name_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(name_, other.name_);
    return *this;
  }
  /// Closes it, if it still is ours.
  ~Descriptor() { name_.close_if_intact(); }

  [[nodiscard]] int number() const noexcept { return name_.number; }
  [[nodiscard]] bool is_open() const noexcept { return name_.number >= 0; }
  [[nodiscard]] bool is_intact() const noexcept { return name_.is_intact(); }
  /// Gives it up without closing it.
  [[nodiscard]] DescriptorName release() noexcept { return std::exchange(name_, {}); }

 private:
  DescriptorName name_;
};

}  // namespace cow::os
