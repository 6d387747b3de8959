#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tool/trace/trace_walk.hpp"

namespace cow::tool {

/// A region or a snapshot over its life. Times are from the beginning of the trace.
struct SpaceSummary {
  bool is_snapshot = false;
  std::uint64_t page_count = 0;
  std::uint64_t made_ns = 0;
  std::optional<std::uint64_t> gone_ns;
  std::uint64_t faults = 0;
  std::uint64_t pages_copied = 0;   ///< by its faults and calls
  std::uint64_t most_writable = 0;  ///< pages at once
};

struct FaultSummary {
  std::uint32_t pid = 0;
  std::uint64_t number = 0;  ///< which step of the trace, from 1
  std::uint64_t ns = 0;
  std::uint64_t pages_copied = 0;
  std::string title;
};

/// Pages that were copied at a moment.
struct CopyMoment {
  std::uint64_t ns = 0;
  std::uint64_t pages = 0;
};

/// What a trace comes to.
struct TraceSummary {
  std::uint64_t steps = 0;
  std::uint64_t duration_ns = 0;  ///< from the beginning to the last event
  std::uint64_t faults = 0;
  std::uint64_t fault_ns = 0;
  std::uint64_t pages_copied = 0;  ///< by faults and calls
  std::uint64_t pages_copied_by_faults = 0;
  std::uint64_t pages_put_back = 0;  ///< by restores: a snapshot's bytes copied back to a region
  std::uint64_t pages_shared = 0;  ///< that clones and snapshots had frames for when they were made
  std::uint64_t most_frames = 0;   ///< at once, in one process
  std::set<std::uint32_t> processes;
  std::map<SpaceKey, SpaceSummary> spaces;
  /// Of processes whose pid another one had later.
  std::vector<std::pair<SpaceKey, SpaceSummary>> earlier_spaces;
  std::vector<FaultSummary> dearest;  ///< at most `most_dear_faults`
  std::vector<CopyMoment> copies;

  // What is missing, and what does not fit.
  std::uint64_t lost = 0;
  std::uint64_t cut_off = 0;
  std::uint64_t unfinished = 0;
  std::uint64_t unreadable = 0;
  std::uint64_t misfits = 0;        ///< steps that speak of what never was
  std::uint64_t disagreements = 0;  ///< steps after which the trace counted otherwise
};

inline constexpr std::size_t most_dear_faults = 10;

/// Replays the whole trace. Throws ToolError.
[[nodiscard]] TraceSummary summarize(const TraceFile& trace);

}  // namespace cow::tool
