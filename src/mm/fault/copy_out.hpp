#pragma once

#include <cstdint>

#include "mm/space/address_space.hpp"

namespace cow {

/// A store to a page that only snapshots share need not move the page. The snapshots were never
/// mapped, so nobody can tell which frame holds their bytes: they get a copy in another frame, and
/// the region writes on where it is. Its mapping stays one linear run however many snapshots come
/// and go, and changing a protection is cheaper than changing a mapping.

/// Whether everybody but `leaf` who references the frame of `page` is a leaf that nobody can see.
/// `leaf` is owned by `space`. Signal context: yes.
[[nodiscard]] bool can_copy_out(const AddressSpace& space, const Leaf& leaf,
                                PageIndex page) noexcept;

/// The way back: a page that is private again with the bytes that `frame` has, which only snapshots
/// reference, need not be kept twice. Whether nobody but `space` can see that frame.
[[nodiscard]] bool can_merge_back(const AddressSpace& space, const Leaf& leaf, PageIndex page,
                                  Frame frame) noexcept;

/// The snapshots that have `frame` share the frame of `page` from now on; the caller has protected
/// it. Precondition: can_merge_back().
void merge_back(AddressSpace& space, Leaf& leaf, PageIndex page, Frame frame) noexcept;

struct CopiedOut {
  int error = 0;  ///< an errno value
  std::uint64_t pages = 0;
};

/// Gives the snapshots that share pages of `window` their own copy of them. Afterwards `space` is
/// the sole owner of every frame in it. Pages that are writable or sole already are passed over.
/// `stored_to` is the page of the store; the others of the window may be clean.
/// Precondition: can_copy_out() held for every other page. Signal context: yes.
CopiedOut copy_out(AddressSpace& space, Leaf& leaf, PageSpan window, PageIndex stored_to,
                   LeafLock& lock) noexcept;

}  // namespace cow
