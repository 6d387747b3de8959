#pragma once

// Memory as the kernel gives it to any program: what libcow is compared with.

#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <utility>

#include "measured.hpp"

namespace examples {

/// Private memory of this process, of zeros to begin with. Not from malloc, which keeps for later
/// what was given back and so would be counted.
class AnonymousMemory {
 public:
  explicit AnonymousMemory(std::size_t size_bytes)
      : size_bytes_(size_bytes),
        address_(::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    claim(address_ != MAP_FAILED, "the kernel has memory for a copy");
  }
  AnonymousMemory(AnonymousMemory&& other) noexcept
      : size_bytes_(std::exchange(other.size_bytes_, 0)), address_(other.address_) {}
  AnonymousMemory(const AnonymousMemory&) = delete;
  AnonymousMemory& operator=(const AnonymousMemory&) = delete;
  AnonymousMemory& operator=(AnonymousMemory&&) = delete;
  ~AnonymousMemory() {
    if (size_bytes_ > 0) ::munmap(address_, size_bytes_);
  }

  [[nodiscard]] std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(address_), size_bytes_};
  }

 private:
  std::size_t size_bytes_;
  void* address_;
};

}  // namespace examples
