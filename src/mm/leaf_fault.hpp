#pragma once

#include <cstdint>

#include "mm/write_fault.hpp"

namespace cow {

/// The part of a write fault that lies in one leaf. The caller holds the family's lock and has the
/// leaf to itself: see Turn. Signal context: yes.

/// Makes `page`, which is not writable, private, with the neighbours that its window takes along.
/// They must never cost the store: if the kernel refuses them, for whatever reason, the page is
/// tried alone. When the kernel has no mapping left although we counted on some, the spare ones are
/// given back first, and the region becomes one piece.
FaultOutcome resolve_in_leaf(AddressSpace& space, Leaf& leaf, PageIndex page, FaultSteps* steps,
                             Turn& turn) noexcept;

/// Makes pages of leaf `group` private that nobody stored to, from its first one that is not.
FaultOutcome take_leaf(AddressSpace& space, std::uint64_t group, Turn& turn) noexcept;

/// What to say when a second attempt failed, too.
FaultOutcome why_of_both(const FaultOutcome& first, const FaultOutcome& second) noexcept;

/// The time, for who records steps.
std::uint64_t stamp(const FaultSteps* steps) noexcept;

}  // namespace cow
