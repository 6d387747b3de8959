#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_set>
#include <vector>

#include "measure/trace/page_runs.hpp"
#include "measure/trace/page_writes.hpp"

namespace cow::measure {

/// Makes rounds of the events of one family of one process.
///
/// Some pages are stored to without a fault: those that libcow has copied at once, and left
/// writable when the round began, as it expected stores to them. Where a restore ends the round it
/// has counted the pages that had changed: as many of these are taken as there were more than
/// faults. Where a snapshot or clone does, all are, as libcow does itself. Where the kernel copies,
/// no store faults: the next control call collects them, and says which pages have new frames.
class RoundReader {
 public:
  /// Sizes are known. It outlives this.
  explicit RoundReader(PageWrites& writes) : writes_(writes) {}

  /// The next of them, or that the process has begun. Throws TraceError if they are more than any
  /// program does: what is missing to a sentence is the trace's name.
  void add(const trace::Event& event);

 private:
  enum class State {
    nothing_kept,
    before_round,  ///< it has cost nothing so far, and begins with the first store
    in_round
  };

  void begin_process(bool has_regions);
  void note_entries(const trace::Event& event);
  void make(const trace::Event& event);
  void restore(const trace::Event& event);
  void drop(const trace::Event& event);
  void store(const trace::Event& event);
  void collect(const trace::Event& event);

  void begin();
  void count_work(std::uint64_t pages);
  void look_for_hot_pages(std::uint32_t region);
  void end_with(const std::vector<std::uint64_t>& stored_hot_pages);

  PageWrites& writes_;
  State state_ = State::nothing_kept;
  std::set<std::uint32_t> spaces_;
  std::map<std::uint32_t, PageRuns> writable_;   ///< pages of each space
  std::unordered_set<std::uint64_t> stored_to_;  ///< pages, in this round
  /// By thread: entries that are part of what it writes next.
  std::map<std::uint32_t, std::vector<trace::Event>> told_;
  std::uint32_t hot_region_ = 0;
  std::vector<std::uint64_t> hot_pages_;  ///< of it, that were writable when the round began
  bool may_have_hot_stores_ = false;      ///< of the last round; its end has not been seen
  std::uint64_t pages_looked_at_ = 0;
};

}  // namespace cow::measure
