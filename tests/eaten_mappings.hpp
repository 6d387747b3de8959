// The kernel's mappings, used up by somebody else.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "sanitizer.hpp"
#include "support.hpp"

namespace support {

/// Takes mappings, two for each page that is made to differ, until the kernel refuses; then gives
/// `spared` of them back.
class EatenMappings {
 public:
  explicit EatenMappings(std::size_t spared)
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        bytes_((2 * max_map_count() + 2) * page_) {
    void* const memory =
        ::mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    memory_ = static_cast<std::byte*>(memory);
    std::size_t eaten = page_;
    while (eaten < bytes_ && ::mprotect(memory_ + eaten, page_, PROT_READ) == 0) eaten += 2 * page_;
    for (std::size_t i = 0; i < spared && eaten > 2 * page_; i += 2) {
      eaten -= 2 * page_;
      ::mprotect(memory_ + eaten, page_, PROT_NONE);
    }
  }
  ~EatenMappings() {
    if (memory_ != nullptr) ::munmap(memory_, bytes_);
  }
  EatenMappings(const EatenMappings&) = delete;
  EatenMappings& operator=(const EatenMappings&) = delete;

 private:
  std::size_t page_;
  std::size_t bytes_;
  std::byte* memory_ = nullptr;
};

// All of them; but ThreadSanitizer's own runtime maps memory for a store it sees for the first
// time, and ends the process when it cannot.
#if defined(COW_TEST_THREAD_SANITIZER)
inline constexpr std::size_t spared_by_all = 400;
#else
inline constexpr std::size_t spared_by_all = 0;
#endif

// The same for threads whose first stores come when mappings are used up: an emulator takes a heap
// of its own for each, and ends when it gets none.
inline std::size_t spared_for_threads() { return is_emulated() ? 400 : spared_by_all; }

// The same where the test itself allocates: a sanitizer's heap is made of mappings.
inline std::size_t spared_for_heap() { return has_sanitizer || is_emulated() ? 400 : 0; }

}  // namespace support
