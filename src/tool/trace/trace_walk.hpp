#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "tool/trace/replay.hpp"

namespace cow::tool {

/// What a page showed.
struct PageBefore {
  std::optional<PageRun> run;  ///< nothing: no frame
  std::uint64_t pages_that_show_it = 0;
};

/// One thing that happened, with what the replay knew before its first entries and found after it.
struct WalkedStep {
  std::uint64_t place =
      0;  ///< 1 for the first: entries, which have numbers too, are parts of steps
  const trace::Event* event = nullptr;
  std::vector<const trace::Event*> entries;  ///< that are a part of it
  std::vector<TouchedPages> touched;  ///< of the family since its step before, also by others
  std::optional<std::uint64_t> page;  ///< that was stored to
  PageBefore before;                  ///< of that page
  bool of_snapshot = false;           ///< the event's space is one
  bool from_snapshot = false;         ///< the event's other space is one
  std::uint64_t space_pages = 0;      ///< of the event's space
  FamilyCounts family_before;
  FamilyCounts family_after;
  bool fits = true;    ///< the event and its entries speak of what there was
  bool agrees = true;  ///< the trace counted as many writable pages of the space as the replay
};

/// Replays a trace from its beginning, step by step: an event and, before it, the entries that its
/// thread wrote for it. What the replay shows is as of the event's number.
class TraceWalk {
 public:
  /// The trace must outlive it.
  explicit TraceWalk(const TraceFile& trace);

  /// Nothing at the end. Throws ToolError.
  std::optional<WalkedStep> next();

  [[nodiscard]] const Replay& replay() const { return replay_; }

  /// Entries that are part of no event, as their thread had not finished it.
  [[nodiscard]] std::uint64_t left_over() const { return left_over_; }

 private:
  [[nodiscard]] WalkedStep begin(const trace::Event& event) const;
  void end(WalkedStep& step);

  const TraceFile& trace_;
  Replay replay_;
  std::vector<const trace::Event*> owners_;          ///< of each event: what it is part of
  std::map<const trace::Event*, WalkedStep> begun_;  ///< their entries are being read
  std::uint64_t left_over_ = 0;
  std::size_t next_ = 0;
  std::uint64_t steps_ = 0;  ///< so far
};

}  // namespace cow::tool
