#pragma once

#include <cstddef>

#include "mm/space/family.hpp"

namespace cow {

/// How many bytes of the family's frames go when `kept` does, and with it `view`, the space that
/// shows it, or null: those that nobody else references, recycled ones counted as given back. Takes
/// the family's lock, for some leaves at a time.
[[nodiscard]] std::size_t reclaimable_bytes(Family& family, const PageTable& kept,
                                            const AddressSpace* view) noexcept;

}  // namespace cow
