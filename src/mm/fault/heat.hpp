#pragma once

#include <cstdint>

#include "base/units.hpp"
#include "mm/space/mapped_range.hpp"
#include "mm/tables/page_table.hpp"

namespace cow {

/// What a snapshot may do about pages that are stored to round after round: see Entry::heat.
struct HotPages {
  /// Pages that one snapshot may copy, so that it stays short whatever was stored to.
  PageCount most;
  /// Why nobody stores to hot pages while they are copied: its caller promised it, there is no
  /// other thread, or they are protected and opened again.
  enum class Stores { none_promised, none, held_off } stores = Stores::held_off;
};

/// For the snapshot `round` of a region, before anything is protected: entries of `leaf` cool, and
/// those that are stored to while warm become hot. Afterwards exactly the entries that are hot()
/// are to be copied and left writable. Returns how many that are, at most `pages.most`.
///
/// `page_in_copies`: FaultPrices::copies_of_a_page().
std::uint64_t update_heat(Leaf& leaf, std::uint32_t round, HotPages pages,
                          std::uint64_t page_in_copies, const FaultPrices& prices) noexcept;

}  // namespace cow
