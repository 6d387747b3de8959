#pragma once

#include <cstdint>

#include "mm/space/address_space.hpp"

namespace cow {

/// What a write fault on a page that is read-only is going to do, decided before anything is done.
struct FaultPlan {
  enum class Way : std::uint8_t {
    in_place,  ///< nobody else can see the frames: the pages stay, snapshots that have them get
               ///< copies
    redirect,  ///< others see the frames: the pages show copies from now on
  };

  Way way = Way::in_place;
  PageIndex page;   ///< of the store
  PageSpan window;  ///< what becomes writable: `page`, and neighbours in its leaf
  /// In `redirect`: the frame for `page`; its neighbours in the window get the frames beside it.
  /// Empty: no home has a slot free, and it is to be a packed frame.
  Frame target;

  [[nodiscard]] Frame target_of(PageIndex at) const noexcept {
    return {target.extent(), {target.slot().value + at.value - page.value}};
  }
  /// Whether a page of the window shows another frame than its target.
  [[nodiscard]] bool redirects(PageIndex at, Entry entry) const noexcept {
    return entry.is_zero_page() || entry.frame() != target_of(at);
  }
  [[nodiscard]] bool copies(PageIndex at, Entry entry) const noexcept {
    return redirects(at, entry) && !entry.shows_zeros();
  }
};

// Each only looks. The caller holds the family's lock and has `leaf` to itself, which `space` owns.
// Signal context: yes.

/// For a store to `page`, with the neighbours that docs/windows.md says.
[[nodiscard]] FaultPlan decide(const AddressSpace& space, const Leaf& leaf,
                               PageIndex page) noexcept;
/// For a store to `page` without any neighbour.
[[nodiscard]] FaultPlan decide_alone(const AddressSpace& space, const Leaf& leaf,
                                     PageIndex page) noexcept;
/// For pages that nobody stored to: as much of the leaf around `page` as can come along, so that
/// the region is in fewer pieces.
[[nodiscard]] FaultPlan decide_for_leaf(const AddressSpace& space, const Leaf& leaf,
                                        PageIndex page) noexcept;

}  // namespace cow
