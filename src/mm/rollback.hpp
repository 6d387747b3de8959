#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.hpp"
#include "mm/metadata_array.hpp"

namespace cow {

class AddressSpace;
class PageTable;

/// A page that is stored to in most rounds of a rollback loop. It stays private and writable: to
/// restore it takes a copy, where sharing it again would take a new mapping and another fault.
struct HotPage {
  PageIndex page;
  const std::byte* past = nullptr;  ///< where the snapshot's bytes can be read; null: zeros
  std::uint64_t idle_rounds = 0;    ///< rounds in a row in which its bytes did not change
};

/// What a region must put back when it is restored to the same snapshot once more. Of the region's
/// pages exactly the listed ones are writable; all others show the snapshot's frames.
///
/// Read and written by restore() alone, from which the caller keeps everybody else. While the
/// family's generation is the one the list was made at, no page has become writable since, and no
/// frame of the snapshot has moved: then the list is all there is to do.
class RollbackList {
 public:
  /// A page nobody stores to costs a comparison in each round. When those have cost as much as
  /// sharing it and the fault of its next store would, it is shared: rent until the price is paid.
  static constexpr std::uint64_t kIdleRounds = 64;

  /// Whether the last restore was to this snapshot, too.
  [[nodiscard]] bool follows(const PageTable& snapshot) const noexcept {
    return snapshot_ == &snapshot;
  }

  // A restore that goes through the page tables makes the list anew.

  /// Room for `most` pages; without memory for them there will be no list.
  void begin(const PageTable& snapshot, std::uint64_t most) noexcept;
  /// The next page, in ascending order. `stored`: its bytes had changed.
  void add(PageIndex page, const std::byte* past, bool stored) noexcept;
  /// There is a page that cannot be listed, so that the list is of no use.
  void give_up() noexcept { complete_ = false; }
  /// The list is right from `generation` on.
  void end(std::uint64_t generation) noexcept;

  /// Calls `use(HotPage&)` for each, which may remove it by returning false.
  template <class Use>
  void for_each_kept(const Use& use) noexcept {
    std::size_t kept = 0;
    for (HotPage& hot : pages_) {
      if (use(hot)) pages_[kept++] = hot;
    }
    while (pages_.size() > kept) static_cast<void>(pages_.pop());
  }

  [[nodiscard]] std::size_t bytes() const noexcept { return pages_.bytes(); }

 private:
  friend bool restore_again(AddressSpace& space, const PageTable& snapshot) noexcept;

  const PageTable* snapshot_ = nullptr;
  bool complete_ = false;
  std::uint64_t generation_ = 0;
  MetadataArray<HotPage> pages_;
  MetadataArray<HotPage> before_;  ///< the last round's, while a list is made
  std::size_t compared_ = 0;       ///< how many of `before_` lie before the page added last
};

/// Restores a region to the snapshot it was restored to before, if since then only listed pages
/// can have changed: without the family's lock, a system call or a look at a page table. False if
/// it is not as simple as that; then restore_snapshot() must follow, whatever was done here.
/// Cost: O(listed pages).
[[nodiscard]] bool restore_again(AddressSpace& space, const PageTable& snapshot) noexcept;

/// Whether the bytes at `live` are not those at `past`, or not zeros where that is null.
[[nodiscard]] bool has_changed(const std::byte* live, const std::byte* past,
                               std::size_t bytes) noexcept;

}  // namespace cow
