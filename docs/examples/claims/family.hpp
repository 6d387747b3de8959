#pragma once

// An original and those that share it, by one of the ways that are compared. All are used alike:
// share once more, store to pages of one of the sharers, and ask the kernel what that took.

#include <cow/cow.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "claims.hpp"

namespace claims {

/// Pages `first`, `first + step` and so on, `count` of them.
struct Stride {
  std::size_t first = 0;
  std::size_t step = 1;
  std::size_t count = 0;
};

/// What it took to store to pages.
struct Work {
  double seconds = 0;
  double kernel_faults = 0;  ///< page faults that the kernel counted
  double signals = 0;        ///< those of them that libcow's handler resolved
};

class Family {
 public:
  virtual ~Family() = default;
  /// One more sharer.
  virtual void share() = 0;
  /// Stores to pages of a sharer, 0 the first one made.
  virtual Work store(std::size_t sharer, Stride pages) = 0;
  /// Loads from each page of a sharer.
  virtual Work load(std::size_t sharer) = 0;
  /// What the kernel counts for all of them: memory that several have counts once.
  [[nodiscard]] virtual std::size_t memory_bytes() const = 0;
  /// What the kernel's page tables for them take.
  [[nodiscard]] virtual std::size_t table_bytes() const = 0;
  [[nodiscard]] virtual std::size_t mappings(std::size_t sharer) const = 0;
  /// Pages of a sharer that were copied since it was made.
  [[nodiscard]] virtual std::size_t copied_pages(std::size_t sharer) const = 0;
};

/// With an original of `bytes`, all of it stored to. `options` are for regions.
std::unique_ptr<Family> family(Way way, std::size_t bytes, const cow::RegionOptions& options = {});

/// Stores to those pages of memory, and counts (signals not).
Work store_to(std::byte* memory, Stride pages);
/// Loads from so many pages of memory, one after the other.
Work load_from(const std::byte* memory, std::size_t pages);

}  // namespace claims
