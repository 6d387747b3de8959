#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "os/host.hpp"
#include "os/mapping.hpp"

namespace cow {

/// A growing array for what the fault handler reads. It lives in memory taken straight from the
/// kernel: the program's own allocator may keep its heap inside a region, and growing under a
/// family's lock must never fault on one. The first `kInside` items need no such memory.
template <class T, std::size_t kInside = 0>
class MetadataArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  MetadataArray() noexcept = default;
  MetadataArray(const MetadataArray&) = delete;
  MetadataArray& operator=(const MetadataArray&) = delete;
  ~MetadataArray() { unmap(); }

  /// Makes room for `capacity` items. False when the kernel refuses, with the
  /// reason in errno.
  [[nodiscard]] bool reserve(std::size_t capacity) noexcept {
    if (capacity <= capacity_) return true;
    const std::size_t bytes = os::whole_pages(std::max(capacity, 2 * capacity_) * sizeof(T));
    auto* const grown = reinterpret_cast<T*>(os::map_metadata(bytes));
    if (grown == nullptr) return false;
    std::copy(begin(), end(), grown);
    unmap();
    items_ = grown;
    capacity_ = bytes / sizeof(T);
    return true;
  }

  /// Sees to it that there are `count` items, zeros if there were none before; they take no memory
  /// before they are touched. False when the kernel refuses. Precondition: never another count.
  [[nodiscard]] bool make_zeros(std::size_t count) noexcept {
    static_assert(kInside == 0);
    COW_CHECK(size_ == 0 || size_ == count);
    if (!reserve(count)) return false;
    size_ = count;
    return true;
  }

  /// Precondition: reserve() made room.
  void push(const T& item) noexcept {
    COW_CHECK(size_ < capacity_);
    items_[size_++] = item;
  }
  /// Precondition: not empty.
  [[nodiscard]] T pop() noexcept {
    COW_CHECK(size_ > 0);
    return items_[--size_];
  }
  void remove_at(std::size_t index) noexcept { items_[index] = items_[--size_]; }
  void clear() noexcept { size_ = 0; }
  void swap(MetadataArray& other) noexcept {
    static_assert(kInside == 0);
    std::swap(items_, other.items_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] T& operator[](std::size_t index) noexcept { return items_[index]; }
  [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return items_[index]; }
  [[nodiscard]] T* begin() noexcept { return items_; }
  [[nodiscard]] T* end() noexcept { return items_ + size_; }
  [[nodiscard]] const T* begin() const noexcept { return items_; }
  [[nodiscard]] const T* end() const noexcept { return items_ + size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return size_ * sizeof(T); }

 private:
  void unmap() noexcept {
    if (capacity_ <= kInside) return;
    os::unmap_metadata(reinterpret_cast<std::byte*>(items_), capacity_ * sizeof(T));
  }

  std::array<T, kInside> inside_{};
  T* items_ = inside_.data();
  std::size_t size_ = 0;
  std::size_t capacity_ = kInside;
};

}  // namespace cow
