#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "tool/trace/frame_counts.hpp"
#include "tool/trace/page_runs.hpp"
#include "tool/trace/trace_file.hpp"

namespace cow::tool {

/// Of all regions and snapshots of a family in one process. What a child inherited counts there,
/// too.
struct FamilyCounts {
  std::uint64_t frames = 0;    ///< that a page shows
  std::uint64_t shared = 0;    ///< of those, that more than one page shows
  std::uint64_t writable = 0;  ///< pages

  friend bool operator==(const FamilyCounts&, const FamilyCounts&) = default;
};

/// A process and one of its spaces: after fork() parent and child have the same numbers.
struct SpaceKey {
  std::uint32_t pid = 0;
  std::uint32_t space = 0;

  friend auto operator<=>(const SpaceKey&, const SpaceKey&) = default;
};

/// A process and one of its families: those that are made after fork() may have the same numbers.
struct FamilyKey {
  std::uint32_t pid = 0;
  std::uint32_t family = 0;

  friend auto operator<=>(const FamilyKey&, const FamilyKey&) = default;
};

/// A region or a snapshot at one moment of the replay.
struct ReplayedSpace {
  bool is_snapshot = false;
  std::uint32_t family = 0;
  std::uint64_t page_count = 0;
  std::uint64_t address = 0;
  std::uint64_t writable = 0;     ///< pages
  std::uint64_t with_frames = 0;  ///< pages
  PageRuns runs;
};

/// Pages whose entries were written, whatever they show now.
struct TouchedPages {
  SpaceKey space;
  std::uint64_t first_page = 0;
  std::uint64_t page_count = 0;
};

/// Follows a trace: after each event, which frame every page of every region and snapshot shows, as
/// docs/trace-format.md defines what events do. Nothing in a trace is believed; what does not fit
/// changes nothing. What a child process had is forgotten when the event after its last one comes.
class Replay {
 public:
  /// The trace must outlive it.
  explicit Replay(const TraceFile& trace);

  /// Goes on by one event. False if it speaks of spaces or pages that never were. Throws ToolError
  /// if the trace asks for more memory or work than any recorded program would.
  bool apply(const trace::Event& event);

  [[nodiscard]] FamilyCounts counts(FamilyKey key) const;
  /// The same, found by looking at every page of every space.
  [[nodiscard]] FamilyCounts recount(FamilyKey family) const;
  [[nodiscard]] std::uint64_t pages_that_show(FamilyKey key, FrameId frame) const;

  [[nodiscard]] const ReplayedSpace* find(SpaceKey key) const;
  [[nodiscard]] const std::map<SpaceKey, ReplayedSpace>& spaces() const { return spaces_; }

  /// What entries were written since the last call for this family, in order; of all families of
  /// the process if it is 0.
  [[nodiscard]] std::vector<TouchedPages> take_touched(FamilyKey key);

  /// Entries that wait for their space to be made.
  [[nodiscard]] std::uint64_t waiting() const;

 private:
  struct Family {
    FrameCounts frames;
    std::uint64_t writable = 0;
  };
  using Spaces = std::map<SpaceKey, ReplayedSpace>;
  /// A process and its event before fork().
  using ForkKey = std::pair<std::uint32_t, std::uint64_t>;

  bool apply_entries(const trace::Event& event);
  bool apply_waiting(SpaceKey key);
  bool make(const trace::Event& event);
  bool show_what_other_shows(const trace::Event& event, ReplayedSpace& made);
  bool drop(SpaceKey key);
  bool restore(const trace::Event& event);
  void fork(const trace::Event& event);
  bool begin_child(const trace::Event& event);
  void find_last_events();
  void forget_process(std::uint32_t pid);
  ReplayedSpace& add(SpaceKey key, ReplayedSpace space);
  void clear(SpaceKey key, ReplayedSpace& space, std::uint64_t first_page,
             std::uint64_t page_count);
  void show(SpaceKey key, ReplayedSpace& space, const PageRun& run);
  void work(std::uint64_t runs);
  [[noreturn]] void refuse(const char* why) const;

  const TraceFile& trace_;
  Spaces spaces_;
  std::map<FamilyKey, Family> families_;
  std::map<SpaceKey, std::vector<const trace::Event*>> waiting_;
  std::uint64_t left_waiting_ = 0;  ///< entries that their process did not live to see held
  std::set<const trace::Event*> last_events_;  ///< of child processes, before another has their pid
  std::optional<std::uint32_t> ended_;         ///< a process: what it had is still to be looked at
  std::map<ForkKey, std::size_t> children_to_come_;
  std::map<ForkKey, Spaces> at_fork_;  ///< what a parent had, for children to come
  std::map<FamilyKey, std::vector<TouchedPages>> touched_;
  std::uint64_t work_done_ = 0;
  std::uint64_t runs_held_ = 0;
};

}  // namespace cow::tool
