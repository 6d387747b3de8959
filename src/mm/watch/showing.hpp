#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// How a region whose stores the kernel copies comes to show what a page table says. By the first
/// of these that does:
///
///  1. What the kernel has copied is dropped, where the frames are mapped below it.
///  2. A mapping of their own for frames side by side, of kMappedPages or more: about what copying
///     so many pages costs. A region has no more than WatchedRange::kMostMappings of them.
///  3. Their bytes are stored to the page, as anybody would store them: the kernel copies.
///
/// So a region never needs more than WatchedRange::kMostMappings mappings, however its frames are
/// scattered.
class Showing {
 public:
  static constexpr PageCount kMappedPages{8};

  explicit Showing(AddressSpace& space) noexcept
      : space_(space), frames_(space.family().frames()) {}

  /// Shows the frames from `first`'s on, or zeros, in `span`. 0 or an errno value; then some of its
  /// pages may show them already. The caller keeps stores off.
  [[nodiscard]] int show(PageSpan span, Entry first) noexcept;
  /// The same by the first two ways alone; false if neither did, and nothing has changed that is
  /// not to be replaced anyway.
  [[nodiscard]] bool map(PageSpan span, Entry first) noexcept;
  /// The same by the third way alone.
  [[nodiscard]] int store(PageSpan span, Entry first) noexcept;

  /// The same for all that the table of `space` says, which was just made and shows zeros. False
  /// where so much would be copied that a home of its own, filled with all of it, is better; then
  /// it shows zeros again. Throws std::system_error.
  [[nodiscard]] bool show_all();

 private:
  [[nodiscard]] int store_bytes(PageSpan span, Entry first) noexcept;
  [[nodiscard]] Frame find_base() const noexcept;
  [[nodiscard]] PageCount shortest_mapped(Frame base) const noexcept;

  AddressSpace& space_;
  FrameStore& frames_;
};

}  // namespace cow
