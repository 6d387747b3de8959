#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>

#include "base/check.hpp"
#include "mm/resources/backing.hpp"
#include "mm/resources/metadata_array.hpp"
#include "os/mapping.hpp"

namespace cow {

/// Page-table pages of one kind. Control calls make sure beforehand that there are enough for
/// every fault that can come (`ensure_free`), so that the handler only takes.
/// The caller holds the family's lock.
template <class Node>
class NodePool {
 public:
  NodePool() noexcept = default;
  NodePool(const NodePool&) = delete;
  NodePool& operator=(const NodePool&) = delete;
  ~NodePool() {
    for (const Chunk& chunk : chunks_) os::unmap_metadata(chunk.begin, chunk.bytes);
  }

  /// At least `wanted` calls of take() will succeed. False when the kernel refuses
  /// memory, with the reason in errno.
  /// The memory is only touched by take(), unless it is to be reserved.
  [[nodiscard]] bool ensure_free(std::uint64_t wanted, Backing backing) noexcept {
    if (free_ >= wanted) return true;
    if (!chunks_.reserve(chunks_.size() + 1)) return false;
    const std::uint64_t nodes = std::max(wanted - free_, std::min(total_, kMostAhead));
    const std::size_t bytes = os::whole_pages(nodes * sizeof(Node));
    std::byte* const begin = map_metadata(bytes, backing);
    if (begin == nullptr) return false;
    chunks_.push({begin, bytes, begin});
    free_ += bytes / sizeof(Node);
    total_ += bytes / sizeof(Node);
    return true;
  }

  /// A new node. Precondition: ensure_free() covered it.
  /// Signal context: yes.
  [[nodiscard]] Node* take() noexcept {
    COW_CHECK(free_ > 0);
    --free_;
    if (returned_ != nullptr) {
      Returned* const node = returned_;
      returned_ = node->next;
      return ::new (static_cast<void*>(node)) Node;
    }
    while (chunks_[current_].room() < sizeof(Node)) ++current_;
    std::byte* const at = chunks_[current_].next;
    chunks_[current_].next += sizeof(Node);
    return ::new (static_cast<void*>(at)) Node;
  }

  /// Signal context: yes.
  void give_back(Node* node) noexcept {
    returned_ = ::new (static_cast<void*>(node)) Returned{returned_};
    ++free_;
  }

  [[nodiscard]] std::uint64_t in_use() const noexcept { return total_ - free_; }
  [[nodiscard]] std::size_t bytes_in_use() const noexcept { return in_use() * sizeof(Node); }

 private:
  static constexpr std::uint64_t kMostAhead = 4096;  // not a page size

  struct Returned {
    Returned* next;
  };
  struct Chunk {
    std::byte* begin;
    std::size_t bytes;
    std::byte* next;
    [[nodiscard]] std::size_t room() const {
      return bytes - static_cast<std::size_t>(next - begin);
    }
  };

  MetadataArray<Chunk> chunks_;
  std::size_t current_ = 0;
  Returned* returned_ = nullptr;
  std::uint64_t free_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace cow
