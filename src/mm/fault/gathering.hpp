#pragma once

#include "mm/space/family.hpp"

namespace cow {

/// For a control call that the kernel refused a mapping: others have taken what libcow counted on,
/// while its own regions and views are in many pieces. Each of `family` becomes one piece, but for
/// what is leased and what lies between pages that nobody touched: its pages are copied into one
/// home, leaf by leaf. What cannot be copied stays as it is, and so does all of a family whose
/// backup keeps a limit. A region whose stores the kernel copies is in few pieces anyway.
/// The caller holds the family's lock. Cost: copying all pages that have data.
void bring_together(Family& family) noexcept;
/// The same for one of them, whose stores fault, or that is a view.
void bring_together(AddressSpace& space) noexcept;

}  // namespace cow
