// malloc and its like from a region that is snapshotted all the time, for LD_PRELOAD: any program
// whose whole heap lies in a region, and which does not know it.

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cow/export.hpp>
#include <cstring>
#include <mutex>

#include "region_heap.hpp"

namespace {

constexpr std::size_t heap_bytes = std::size_t{1} << 30;
constexpr std::size_t period = 500;

// What is asked for before there is a region, and meanwhile by libcow.
constexpr std::size_t early_bytes = std::size_t{4} << 20;
alignas(16) std::byte early[early_bytes];
std::size_t early_used = 0;

struct Heap {
  std::recursive_mutex mutex;
  alignas(RegionHeap) std::byte storage[sizeof(RegionHeap)];
  RegionHeap* region = nullptr;
  bool busy = false;  // libcow is at work for the heap
};
Heap& heap() {
  static Heap made;
  return made;
}

bool is_early(const void* memory) {
  const auto* const at = static_cast<const std::byte*>(memory);
  return early <= at && at < early + early_bytes;
}

void* take_early(std::size_t bytes) {
  const std::size_t size = (bytes + 31) / 16 * 16;
  if (early_bytes - early_used < size) return nullptr;
  std::byte* const block = early + early_used;
  early_used += size;
  std::memcpy(block, &bytes, sizeof(bytes));
  return block + 16;
}

std::size_t room(const void* memory) {
  if (!is_early(memory)) return heap().region->room(memory);
  std::size_t bytes = 0;
  std::memcpy(&bytes, static_cast<const std::byte*>(memory) - 16, sizeof(bytes));
  return bytes;
}

void* take(std::size_t bytes) {
  Heap& all = heap();
  const std::lock_guard<std::recursive_mutex> guard(all.mutex);
  void* made = nullptr;
  if (all.region == nullptr || all.busy) {
    made = take_early(bytes);
  } else {
    all.busy = true;
    made = all.region->allocate(bytes);
    all.busy = false;
  }
  if (made == nullptr) errno = ENOMEM;
  return made;
}

__attribute__((constructor)) void begin() {
  Heap& all = heap();
  all.busy = true;
  all.region = ::new (all.storage) RegionHeap(heap_bytes, period);
  all.busy = false;
}

}  // namespace

extern "C" {

COW_API void* malloc(std::size_t bytes) { return take(bytes); }

COW_API void free(void* memory) {
  if (memory == nullptr || is_early(memory)) return;
  const std::lock_guard<std::recursive_mutex> guard(heap().mutex);
  heap().region->release(memory);
}

COW_API void* calloc(std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return nullptr;
  void* const made = take(bytes);
  return made == nullptr ? nullptr : std::memset(made, 0, bytes);
}

COW_API void* realloc(void* memory, std::size_t bytes) {
  if (memory != nullptr && bytes <= room(memory)) return memory;
  void* const made = take(bytes);
  if (made == nullptr || memory == nullptr) return made;
  std::memcpy(made, memory, std::min(bytes, room(memory)));
  free(memory);
  return made;
}

// Blocks are aligned by 16; what asks for more never gives it back.
COW_API void* memalign(std::size_t alignment, std::size_t bytes) {
  if (alignment <= 16) return take(bytes);
  auto* const made = static_cast<std::byte*>(take(bytes + 2 * alignment + 16));
  if (made == nullptr) return nullptr;
  const auto at = reinterpret_cast<std::uintptr_t>(made);
  const std::size_t skipped = (at + 16 + alignment - 1) / alignment * alignment - at;
  std::byte* const aligned = made + skipped;
  // A head of its own, so that it is a block like any other: the largest that fits.
  const std::uint64_t order =
      static_cast<std::uint64_t>(std::bit_width(room(made) - skipped + 16) - 1);
  std::memcpy(aligned - 16, &order, sizeof(order));
  return aligned;
}
COW_API void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return memalign(alignment, bytes);
}
COW_API int posix_memalign(void** to, std::size_t alignment, std::size_t bytes) {
  *to = memalign(alignment, bytes);
  return *to == nullptr ? ENOMEM : 0;
}
COW_API std::size_t malloc_usable_size(void* memory) {
  return memory == nullptr ? 0 : room(memory);
}

}  // extern "C"
