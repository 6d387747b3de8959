#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace cow::os {

/// A descriptor's number, with what tells whether it still names our file: a program may close
/// descriptors it does not know, closefrom(3), and open other files under their numbers, and a
/// thread may have a descriptor table of its own, unshare(CLONE_FILES). Whoever hands a number to
/// the kernel asks is_intact() just before.
struct DescriptorName {
  int number = -1;
  std::uint64_t device = 0;
  std::uint64_t file = 0;
  /// A position in the file that nobody else would think of, which the descriptor is left at. Where
  /// it is found, the file is ours; 0: none.
  std::uint64_t mark = 0;

  /// Whether the number names our file, for the thread that asks. True where the kernel refuses to
  /// tell. Cost: one system call (lseek) where the mark is found; else one or two more (statx, or
  /// fstat where there is none). Signal context: yes.
  [[nodiscard]] bool is_intact() const noexcept;
  /// After the position was used for something else. Signal context: yes.
  void put_mark_back() const noexcept;
  void close_if_intact() const noexcept;
  /// Memory that the file takes, if it is one that lives in memory; 0 if it cannot be told.
  [[nodiscard]] std::size_t resident_bytes() const noexcept;
  /// The number as an argument of a system call.
  [[nodiscard]] std::uintptr_t argument() const noexcept {
    return static_cast<std::uintptr_t>(number);
  }

  friend bool operator==(const DescriptorName&, const DescriptorName&) = default;
};

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  /// Takes over `number`, or nothing if it is negative. Moves it out of the way, above the numbers
  /// that programs get for their own files and that daemons close and shells reuse. Where it cannot
  /// be looked at it is closed: then this is not open, with the reason in errno.
  explicit Descriptor(int number) noexcept;
  Descriptor(Descriptor&& other) noexcept : name_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(name_, other.name_);
    return *this;
  }
  /// Closes it, if it still is ours.
  ~Descriptor() { name_.close_if_intact(); }

  [[nodiscard]] int number() const noexcept { return name_.number; }
  [[nodiscard]] const DescriptorName& name() const noexcept { return name_; }
  [[nodiscard]] bool is_open() const noexcept { return name_.number >= 0; }
  [[nodiscard]] bool is_intact() const noexcept { return name_.is_intact(); }
  /// Gives it a mark, where its file has positions: for one of which nobody else uses them.
  void mark() noexcept;
  /// Gives it up without closing it.
  [[nodiscard]] DescriptorName release() noexcept { return std::exchange(name_, {}); }

 private:
  DescriptorName name_;
};

}  // namespace cow::os
