#pragma once

#include <functional>

#include "mm/space/address_space.hpp"
#include "mm/space/copy_on_write.hpp"

namespace cow {

/// The control calls' work on page tables. Each takes the family's lock, unless said otherwise, and
/// either does all it says or throws std::system_error with everything as it was; what shares the
/// frames of a region throws what CopyOnWrite::keep_stores_off() does, too.

/// `empty` was just made; it will show what `source` shows, frame by frame.
/// Returns how much it touched, beside mappings: see touched.hpp.
std::uint64_t clone_lazily(AddressSpace& source, AddressSpace& empty);

/// `empty` was just made; it gets frames of its own with the bytes of `source`.
void clone_eagerly(AddressSpace& source, AddressSpace& empty);

/// `empty`, a table that is shown nowhere, will hold what `source` shows now. `taken` gets its
/// place in the family's tree of snapshots; null for one of libcow's own, of which nobody is to
/// know.
/// `at_the_cut`, if any, is called in the same hold of the family's lock; it must not throw.
/// Returns how much it touched: see touched.hpp.
std::uint64_t take_snapshot(AddressSpace& source, PageTable& empty, HotPolicy policy,
                            LineageNode* taken, const std::function<void()>& at_the_cut = {});

/// What is kept comes to be seen, or there is too much to look whether it is: every region whose
/// frames it may be has room to move them. The caller holds the family's lock. Throws
/// std::system_error.
void make_room_to_move(Family& family);

/// `empty` was just made; it will show what `snapshot` holds, whose place in the family's tree is
/// `of`.
void show_snapshot(const PageTable& snapshot, LineageNode& of, AddressSpace& empty);

/// `kept`, a table that is shown nowhere, holds what `other` holds in the pages of `span`. The
/// caller holds the family's lock and has reserved the page tables of one more address space.
void exchange_pages(PageTable& kept, PageSpan span, const PageTable& other) noexcept;

}  // namespace cow
