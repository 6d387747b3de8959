#pragma once

/// @file
/// Bringing two lines of history together.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <cow/export.hpp>
#include <cow/region.hpp>
#include <cow/snapshot.hpp>

namespace cow {

/// A stretch of bytes that both sides changed, in different ways. The spans are as long as the
/// stretch and valid during the call.
struct MergeConflict {
  std::size_t offset = 0;             ///< of the first byte, in the region
  std::span<const std::byte> base;    ///< as they were in the common ancestor
  std::span<const std::byte> ours;    ///< as our side has them
  std::span<const std::byte> theirs;  ///< as the other side has them
  std::span<std::byte> result;        ///< holds the bytes of ours; what is left in it is taken
};

/// Decides one conflict by writing `result`. What it throws ends the merge and comes out of it.
using MergeResolver = std::function<void(const MergeConflict&)>;

/// Choices for `merge`.
struct MergeOptions {
  /// What is changed as a whole: within a page both sides changed, bytes are compared and taken in
  /// units of so many bytes, aligned in the region. With 8, two threads of history that changed
  /// different bytes of one 64-bit number are in conflict; with 1 their bytes are mixed.
  /// A power of two, at most the page size.
  std::size_t unit_bytes = 1;
};

/// What became of a merge.
struct MergeResult {
  Region merged;  ///< a new region of the same family, with the changes of both sides
  /// Pages that both sides changed, in different ways; ascending, neighbours joined. Without a
  /// resolver they show ours. With one they were merged unit by unit.
  std::vector<PageRange> conflicts;
  std::size_t pages_from_ours = 0;     ///< pages that only ours changed, or both in the same way
  std::size_t pages_from_theirs = 0;   ///< pages that only theirs changed
  std::size_t stretches_resolved = 0;  ///< calls of the resolver
};

/// A region with the changes of both sides since `base`, their common ancestor: each page that one
/// side changed is that side's, and shares its frame. Where both did, see MergeResult::conflicts.
/// With a resolver, within such a page, stretches that one side changed are taken from it, and the
/// resolver is asked about those that both changed differently; a stretch never crosses pages.
///
/// Cost: that of Region::from_snapshot and of two diffs, and O(pages that changed on either side).
/// Thread safe. Throws std::invalid_argument for snapshots of different families or a unit that
/// makes no sense, std::system_error.
[[nodiscard]] COW_API MergeResult merge(const Snapshot& base, const Snapshot& ours,
                                        const Snapshot& theirs, const MergeResolver& resolver = {},
                                        const MergeOptions& options = {});

}  // namespace cow
