#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "os/lock.hpp"

namespace cow {

// Memory for every object of the library that outlives a call. It never comes from the program's
// allocator: that may keep its heap inside of a region, whose pages are protected at any time, also
// while the lock is held under which the object is written, and are put back to the past by
// restore(). Small objects are never given back to the kernel, only to the next of their size.

/// Thread safe. Throws std::bad_alloc.
[[nodiscard]] void* allocate_metadata(std::size_t bytes);
/// `bytes` is what was asked for. Thread safe.
void free_metadata(void* memory, std::size_t bytes) noexcept;

/// For fork(), which must not copy the heap half-way through a change. No other lock is taken
/// while it is held.
[[nodiscard]] os::Lock& metadata_heap_lock() noexcept;

/// For std::allocate_shared.
template <class T>
struct MetadataAllocator {
  using value_type = T;

  MetadataAllocator() noexcept = default;
  template <class U>
  explicit(false) MetadataAllocator(const MetadataAllocator<U>& /*other*/) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) {
    return static_cast<T*>(allocate_metadata(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    free_metadata(memory, count * sizeof(T));
  }
  template <class U>
  bool operator==(const MetadataAllocator<U>& /*other*/) const noexcept {
    return true;
  }
};

template <class T>
struct MetadataDeleter {
  void operator()(T* object) const noexcept {
    object->~T();
    free_metadata(object, sizeof(T));
  }
};
template <class T>
using MetadataPointer = std::unique_ptr<T, MetadataDeleter<T>>;

/// Throws std::bad_alloc, and what T's constructor does.
template <class T, class... Arguments>
[[nodiscard]] MetadataPointer<T> make_metadata(Arguments&&... arguments) {
  void* const memory = allocate_metadata(sizeof(T));
  try {
    return MetadataPointer<T>(::new (memory) T(std::forward<Arguments>(arguments)...));
  } catch (...) {
    free_metadata(memory, sizeof(T));
    throw;
  }
}

/// An array whose length is known when it is made, of zeros or what T() is.
template <class T>
class FixedArray {
 public:
  FixedArray() noexcept = default;
  /// Throws std::bad_alloc.
  explicit FixedArray(std::size_t size)
      // NOLINTNEXTLINE(*-sizeof-expression): T may be a pointer
      : items_(static_cast<T*>(allocate_metadata(size * sizeof(T)))), size_(size) {
    std::uninitialized_value_construct_n(items_, size_);
  }
  FixedArray(FixedArray&& other) noexcept
      : items_(std::exchange(other.items_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  FixedArray& operator=(FixedArray&& other) noexcept {
    std::swap(items_, other.items_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~FixedArray() {
    if (items_ == nullptr) return;
    std::destroy_n(items_, size_);
    free_metadata(items_, size_ * sizeof(T));  // NOLINT(*-sizeof-expression): T may be a pointer
  }

  [[nodiscard]] T* begin() const noexcept { return items_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // Like a pointer: who has the array may change what it holds.
  [[nodiscard]] T& operator[](std::size_t index) const noexcept { return items_[index]; }

 private:
  T* items_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace cow
