#pragma once

#include <cstdint>

#include "base/units.hpp"
#include "mm/space/address_space.hpp"

namespace cow {

/// The pages around `page` that a fault on it should make writable together. Within the leaf of
/// `page`, and containing it. `fault_in_copies`: what a fault costs beside its copies, see
/// FaultPrices.
///
/// A run of two or more pages that are private already, right before or behind, says that stores
/// come in order: the window takes as many pages again, so it doubles, 1, 1, 2, 4 … up to the
/// limit. A block whose pages keep faulting is taken whole by the last fault that leaves the faults
/// paid no dearer than copying it; if it goes on with a run, by the sixth at the earliest. That is
/// the ski-rental rule (Karlin, Manasse, Rudolph, Sleator 1988): the total is at most about twice
/// the better of all-lazy and all-eager; docs/windows.md has the argument and its limits.
///
/// When the process runs short of mappings, the window reaches to the nearest private page, so that
/// both are one mapping; when it runs very short, it is a whole block, whose neighbours will be
/// too.
///
/// Signal context: yes.
[[nodiscard]] PageSpan choose_window(const AddressSpace& space, const Leaf& leaf, PageIndex page,
                                     std::uint64_t fault_in_copies,
                                     const MappingShortage& shortage) noexcept;

}  // namespace cow
