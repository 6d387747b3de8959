// A hash for each page of a region or a snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace soak {

class PageHashes {
 public:
  PageHashes() = default;
  /// Of no bytes yet: for set().
  PageHashes(std::size_t size_bytes, std::size_t page_bytes)
      : page_bytes_(page_bytes), hashes_((size_bytes + page_bytes - 1) / page_bytes) {}
  PageHashes(std::span<const std::byte> bytes, std::size_t page_bytes)
      : PageHashes(bytes.size(), page_bytes) {
    set(bytes);
  }

  [[nodiscard]] std::size_t pages() const { return hashes_.size(); }
  [[nodiscard]] std::uint64_t operator[](std::size_t page) const { return hashes_[page]; }
  /// Allocates nothing.
  void set(std::span<const std::byte> bytes) { set(bytes, 0, bytes.size()); }
  /// The same for the pages of bytes begin … end-1 only.
  void set(std::span<const std::byte> bytes, std::size_t begin, std::size_t end);

  /// Empty if the bytes are those that were hashed, else which page is not.
  [[nodiscard]] std::string difference(std::span<const std::byte> bytes) const;

 private:
  [[nodiscard]] std::uint64_t hash(std::span<const std::byte> bytes, std::size_t page) const;

  std::size_t page_bytes_ = 1;
  std::vector<std::uint64_t> hashes_;
};

}  // namespace soak
