// System calls made directly, and how tests/kernel_writers.hpp judges what they stored.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "kernel_writers.hpp"

namespace support {

template <class Argument>
long argument(Argument value) {
  if constexpr (std::is_pointer_v<Argument>) return reinterpret_cast<long>(value);
  if constexpr (!std::is_pointer_v<Argument>) return static_cast<long>(value);
}

/// One system call: -1 and errno if it fails.
template <class... Arguments>
long call(long number, Arguments... arguments) {
  return ::syscall(number, argument(arguments)...);
}

class Descriptor {
 public:
  explicit Descriptor(long descriptor) : descriptor_(static_cast<int>(descriptor)) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  operator int() const { return descriptor_; }

 private:
  int descriptor_;
};

inline KernelWrite failed() { return {errno, "", errno == ENOSYS}; }
inline const KernelWrite no_such_thing{0, "", true};

/// `result` is what the call returned, `wanted` what it should, with these bytes at the target.
inline KernelWrite compare(long result, long wanted, const std::byte* target, const void* expected,
                           std::size_t bytes) {
  if (result < 0) return failed();
  if (result != wanted) {
    return {0, "returned " + std::to_string(result) + ", not " + std::to_string(wanted)};
  }
  return {0, std::memcmp(target, expected, bytes) == 0 ? "" : "other bytes arrived"};
}

/// Makes `make_call(place)` twice: for ordinary memory, whose bytes are the ones to compare with,
/// and for the target.
template <std::size_t bytes, class Call>
KernelWrite compare_with_plain(std::byte* target, const Call& make_call) {
  alignas(16) std::array<std::byte, bytes> plain{};
  std::memcpy(plain.data(), target, bytes);  // for what the call leaves alone
  const long wanted = make_call(plain.data());
  if (wanted < 0) return no_such_thing;
  return compare(make_call(target), wanted, target, plain.data(), bytes);
}

/// The same for calls that tell a number that only grows: `number(place)` reads it.
template <std::size_t bytes, class Call, class Number>
KernelWrite compare_growing(std::byte* target, const Call& make_call, const Number& number) {
  alignas(16) std::array<std::byte, bytes> before{};
  alignas(16) std::array<std::byte, bytes> now{};
  alignas(16) std::array<std::byte, bytes> after{};
  make_call(before.data());
  if (make_call(target) < 0) return failed();
  std::memcpy(now.data(), target, bytes);
  make_call(after.data());
  const bool between =
      number(before.data()) <= number(now.data()) && number(now.data()) <= number(after.data());
  return {0, between ? "" : "another number arrived"};
}

template <class T>
T value_at(const std::byte* place) {
  T value;
  std::memcpy(&value, place, sizeof(value));
  return value;
}

}  // namespace support
