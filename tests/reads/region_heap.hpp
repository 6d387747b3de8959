// A heap in a region for programs that know nothing of regions. It takes a snapshot with every so
// many blocks, so that whatever lies in it is protected again and again.
#pragma once

#include <array>
#include <bit>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>

class RegionHeap {
 public:
  /// Takes a snapshot with every `period`-th block that is asked for.
  RegionHeap(std::size_t bytes, std::size_t period)
      : region_(cow::Region::create(bytes)), period_(period) {}

  /// Null when the region is full.
  void* allocate(std::size_t bytes) noexcept {
    if (++allocations_ % period_ == 0) last_ = region_.snapshot();
    const unsigned order = order_of(bytes);
    if (order >= free_.size()) return nullptr;
    std::byte* block = free_[order];
    if (block != nullptr) {
      std::memcpy(static_cast<void*>(&free_[order]), block, sizeof(free_[order]));
    } else {
      const std::size_t size = std::size_t{1} << order;
      if (region_.size() - used_ < size) return nullptr;
      block = region_.data() + used_;
      used_ += size;
    }
    const std::uint64_t head = order;
    std::memcpy(block, &head, sizeof(head));
    return block + head_bytes;
  }

  void release(void* memory) noexcept {
    std::byte* const block = static_cast<std::byte*>(memory) - head_bytes;
    const unsigned order = order_at(memory);
    std::memcpy(block, static_cast<const void*>(&free_[order]), sizeof(free_[order]));
    free_[order] = block;
  }

  void* reallocate(void* memory, std::size_t bytes) noexcept {
    if (memory == nullptr) return allocate(bytes);
    if (bytes <= room(memory)) return memory;
    void* const made = allocate(bytes);
    if (made == nullptr) return nullptr;
    std::memcpy(made, memory, room(memory));
    release(memory);
    return made;
  }

  /// Bytes that the block has.
  [[nodiscard]] std::size_t room(const void* memory) const noexcept {
    return (std::size_t{1} << order_at(memory)) - head_bytes;
  }
  [[nodiscard]] bool has(const void* memory) const noexcept {
    const auto* const at = static_cast<const std::byte*>(memory);
    return region_.data() <= at && at < region_.data() + region_.size();
  }
  [[nodiscard]] std::size_t snapshots() const noexcept { return allocations_ / period_; }
  [[nodiscard]] cow::Region& region() noexcept { return region_; }

 private:
  static constexpr std::size_t head_bytes = 16;

  static unsigned order_of(std::size_t bytes) noexcept {
    return static_cast<unsigned>(std::bit_width(bytes + head_bytes - 1));
  }
  [[nodiscard]] static unsigned order_at(const void* memory) noexcept {
    std::uint64_t head = 0;
    std::memcpy(&head, static_cast<const std::byte*>(memory) - head_bytes, sizeof(head));
    return static_cast<unsigned>(head);
  }

  cow::Region region_;
  std::size_t period_;
  std::optional<cow::Snapshot> last_;
  std::size_t allocations_ = 0;
  std::size_t used_ = 0;
  std::array<std::byte*, 40> free_{};  // blocks of 2^i bytes, each with the next one in it
};
