#pragma once

// A heap that took long to warm up, in the three forms that workers start from: a snapshot of
// each of libcow's mechanisms, and plain memory.

#include <cow/managed_region.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <system_error>

#include "../anonymous_memory.hpp"
#include "dictionary.hpp"

namespace examples {

class WarmHeap {
 public:
  /// A dictionary of about so many bytes.
  explicit WarmHeap(std::size_t target_bytes) {
    auto heap = cow::ManagedRegion::create(std::size_t{64} << 10, 4 * target_bytes);
    warm_up(heap, target_bytes);
    const std::span<const std::byte> whole = std::as_const(heap).region().bytes();
    plain_.emplace(whole.size());
    std::memcpy(plain_->bytes().data(), whole.data(), used_bytes_);
    handler_ = template_of(cow::Mechanism::handler);
    try {
      kernel_ = template_of(cow::Mechanism::kernel);
    } catch (const std::system_error& error) {
      without_kernel_ = error.what();
    }
  }

  /// The dictionary among the bytes of the heap, wherever they are.
  [[nodiscard]] Dictionary& dictionary(std::byte* heap) const {
    return *reinterpret_cast<Dictionary*>(heap + offset_);
  }
  [[nodiscard]] const cow::Snapshot& handler() const { return *handler_; }
  /// Without a value where this machine does not have the mechanism; `without_kernel` says why.
  [[nodiscard]] const std::optional<cow::Snapshot>& kernel() const { return kernel_; }
  [[nodiscard]] const std::string& without_kernel() const { return without_kernel_; }
  /// The heap in plain memory: to be copied, or inherited by a child.
  [[nodiscard]] std::span<std::byte> plain() const { return plain_->bytes(); }
  /// What there is to copy: the rest are zeros, for the heap to grow.
  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_; }
  [[nodiscard]] std::uint64_t words() const { return words_; }

 private:
  void warm_up(cow::ManagedRegion& heap, std::size_t target_bytes) {
    constexpr std::size_t bytes_a_word = 82;  // as measured: a node, its block, its bucket
    Dictionary& made =
        *heap.construct<Dictionary>("dictionary")(heap.get_allocator<Dictionary::value_type>());
    words_ = target_bytes / bytes_a_word;
    made.reserve(words_ + words_ / 4);
    for (std::uint64_t number = 0; number < words_; ++number) {
      const std::string word = word_of(number);
      made.emplace(cow::string(word.data(), word.size(), made.get_allocator()), warm_count(number));
    }
    heap.shrink_to_fit();
    heap.grow(target_bytes / 32);  // what requests will need
    offset_ = static_cast<std::size_t>(reinterpret_cast<const std::byte*>(&made) -
                                       std::as_const(heap).region().data());
    used_bytes_ = heap.get_size();
  }

  /// The snapshot alone: the region that it was taken of goes.
  [[nodiscard]] cow::Snapshot template_of(cow::Mechanism mechanism) const {
    cow::RegionOptions options;
    options.mechanism = mechanism;
    cow::Region region = cow::Region::create(plain_->bytes().size(), options);
    std::memcpy(region.data(), plain_->bytes().data(), used_bytes_);
    return region.snapshot();
  }

  std::optional<AnonymousMemory> plain_;
  std::optional<cow::Snapshot> handler_;
  std::optional<cow::Snapshot> kernel_;
  std::string without_kernel_;
  std::size_t offset_ = 0;
  std::size_t used_bytes_ = 0;
  std::uint64_t words_ = 0;
};

}  // namespace examples
