#pragma once

// What a recorded program stored to between one moment that it kept and the next.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "measure/trace/trace_file.hpp"
#include "measure/trace/unseen_stores.hpp"

namespace cow::measure {

/// From a snapshot or clone, or from the way back to one, until the next of these.
struct RecordedRound {
  /// Where each page was first stored to, in bytes from the region's beginning, in order of time.
  std::vector<std::size_t> offsets_bytes;
  bool is_taken_back = false;  ///< by a restore to a snapshot
};

/// One family of one process of a trace, as if all of it were one region. A trace knows the first
/// store to each page alone, and of pages that were made writable along with another, a window,
/// it does not know whether they were stored to: they are left out.
struct PageWrites {
  std::string program;         ///< the last part of its path
  std::uint32_t pid = 0;       ///< of the process, and
  std::uint32_t family = 0;    ///< the family in it, of which the trace tells the most stores
  std::size_t bytes = 0;       ///< of the largest region
  std::size_t page_bytes = 0;  ///< of its pages: its granule
  std::vector<RecordedRound> rounds;
  std::uint64_t stores = 0;                ///< in all rounds
  std::uint64_t stores_without_fault = 0;  ///< of those: see RoundReader
  std::uint64_t stores_outside = 0;        ///< while nothing was kept: there was nothing to copy
  std::uint64_t stores_again = 0;  ///< to a page that had been stored to in the same round, through
                                   ///< another region or after a discard: replayed once
  CopiedAlong along;               ///< in its rounds
  std::uint64_t unseen_families = 0;  ///< others for which the kernel copied: not replayed, with
  std::uint64_t unseen_pages = 0;     ///< so many pages
  std::vector<std::string> warnings;  ///< what of the trace is not in here: sentences
};

/// Throws TraceError if nothing was stored to, or to nothing that was kept, or if no process could
/// have such a region.
[[nodiscard]] PageWrites page_writes(const TraceFile& trace);

}  // namespace cow::measure
