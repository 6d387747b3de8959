#pragma once

#include <cstdint>

#include "base/units.hpp"
#include "mm/address_space.hpp"

namespace cow {

/// What a write fault costs beside the pages it copies, in units of copying one page in a window:
/// delivery, lookup and the change of mappings, against one page of a larger copy. A page that
/// moves to another frame needs a new mapping, one that stays where it is a change of protection.
/// Measured, see "Prices" in docs/windows.md; only the ratios matter and they differ little between
/// machines.
inline constexpr std::uint64_t kMovePriceInPages = 13;
inline constexpr std::uint64_t kStayPriceInPages = 12;
/// What it counts as in rollback rounds, where a block counts twice: there and back. That is half
/// of what it costs. A round is to copy little more than it stored, whatever the pages are, and at
/// the full price scattered stores would take blocks by chance.
inline constexpr std::uint64_t kRoundPriceInPages = 8;

/// The pages around `page` that a fault on it should make writable together. Within the leaf of
/// `page`, and containing it. `stays`: the page keeps its frame, see copy_out.hpp.
///
/// A run of two or more pages that are private already, right before or behind, says that stores
/// come in order: the window takes as many pages again, so it doubles, 1, 1, 2, 4 … up to the
/// limit. A block whose pages keep faulting is taken whole by the last fault that leaves the faults
/// paid no dearer than copying it, or by the sixth if it goes on with a run. That is the ski-rental
/// rule (Karlin, Manasse, Rudolph, Sleator
/// 1988): the total is at most about twice the better of all-lazy and all-eager; docs/windows.md
/// has the argument and its limits.
///
/// When the process runs short of mappings, the window reaches to the nearest private page, so that
/// both are one mapping; when it runs very short, it is a whole block, whose neighbours will be
/// too.
///
/// Signal context: yes.
[[nodiscard]] PageSpan choose_window(const AddressSpace& space, const Leaf& leaf, PageIndex page,
                                     bool stays, const MappingShortage& shortage) noexcept;

}  // namespace cow
