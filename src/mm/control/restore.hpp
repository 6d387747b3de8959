#pragma once

#include <cstdint>
#include <optional>

#include "mm/space/address_space.hpp"

namespace cow {

/// A restore whose pages were counted: see touched_by_restoring().
struct CountedRestore {
  std::uint64_t touched = 0;
  std::uint64_t took_ns = 0;  ///< without the wait for the lock, and without the counting
};

/// The bytes of `space` become those of `snapshot`. The caller keeps other threads out of them.
/// Again and again to the same snapshot it costs what was stored to meanwhile: see rollback.hpp.
/// `of` is its place in the family's tree; null for one of libcow's own.
/// Returns nothing where the pages were not counted: a few calls of many count them. Takes the
/// family's lock. Throws std::system_error; then the bytes are as they were.
std::optional<CountedRestore> restore_snapshot(AddressSpace& space, const PageTable& snapshot,
                                               LineageNode* of);

}  // namespace cow
