#include "mm/resources/metadata_heap.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "base/immortal.hpp"
#include "os/host.hpp"
#include "os/mapping.hpp"
#include "os/signal_mask.hpp"

namespace cow {

namespace {

// Sizes are powers of two, so that a block that was given back fits the next object of its class.
constexpr std::size_t kSmallestBlock = 64;
constexpr std::size_t kLargestBlock = std::size_t{32} << 10;      // beyond, a mapping of its own
constexpr std::size_t kFirstChunkBytes = std::size_t{128} << 10;  // enough for most programs
constexpr std::size_t kChunkBytes = std::size_t{256} << 10;
constexpr std::size_t kClasses = std::bit_width(kLargestBlock) - std::bit_width(kSmallestBlock) + 1;

struct FreeBlock {
  FreeBlock* next;
};

/// Invariant: whatever a thread does with the heap it does with the lock, and never in a fault.
struct Heap {  // NOLINT(*-member-init): no page of the chunk is touched before it is used
  os::Lock lock{os::LockRank::metadata_heap};
  std::array<FreeBlock*, kClasses> free COW_GUARDED_BY(lock){};
  alignas(kSmallestBlock) std::array<std::byte, kFirstChunkBytes> first_chunk;
  std::byte* next COW_GUARDED_BY(lock) = first_chunk.data();  ///< of the newest chunk
  std::size_t left COW_GUARDED_BY(lock) = kFirstChunkBytes;
};

Heap& heap() noexcept { return immortal<Heap>(); }

std::size_t block_bytes(std::size_t bytes) noexcept {
  return std::bit_ceil(std::max(bytes, kSmallestBlock));
}

std::size_t class_of(std::size_t block) noexcept {
  return static_cast<std::size_t>(std::bit_width(block) - std::bit_width(kSmallestBlock));
}

void* take(Heap& from, std::size_t block) COW_REQUIRES(from.lock) {
  FreeBlock*& free = from.free[class_of(block)];
  if (free != nullptr) return std::exchange(free, free->next);
  if (from.left < block) {
    // What is left of the chunk before would fit smaller blocks; at most as much as one is lost.
    from.next = os::map_metadata(kChunkBytes);
    from.left = from.next == nullptr ? 0 : kChunkBytes;
    if (from.left == 0) throw std::bad_alloc();
  }
  from.left -= block;
  return std::exchange(from.next, from.next + block);
}

}  // namespace

os::Lock& metadata_heap_lock() noexcept { return heap().lock; }

// Signals are masked: a handler that stores to a region waits for a fork() that goes on, and that
// waits for this lock.
void* allocate_metadata(std::size_t bytes) {
  if (bytes > kLargestBlock) {
    std::byte* const memory = os::map_metadata(os::whole_pages(bytes));
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  const os::SignalsMasked signals;
  Heap& all = heap();
  const os::LockGuard guard(all.lock);
  return take(all, block_bytes(bytes));
}

void free_metadata(void* memory, std::size_t bytes) noexcept {
  if (bytes > kLargestBlock) {
    os::unmap_metadata(static_cast<std::byte*>(memory), os::whole_pages(bytes));
    return;
  }
  const os::SignalsMasked signals;
  Heap& all = heap();
  const os::LockGuard guard(all.lock);
  FreeBlock*& free = all.free[class_of(block_bytes(bytes))];
  free = ::new (memory) FreeBlock{free};
}

}  // namespace cow
