// A trace, replayed by the words of docs/trace-format.md: which frame each page of each region and
// snapshot shows, after every event.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "trace/format.hpp"

namespace support {

using cow::trace::Event;
using cow::trace::EventKind;

/// What a page of a replayed region shows.
struct ReplayedPage {
  cow::trace::EntryLook look = cow::trace::EntryLook::zero;
  std::uint64_t file = 0;
  std::uint64_t slot = 0;
  friend bool operator==(const ReplayedPage&, const ReplayedPage&) = default;
};

struct ReplayedSpace {
  bool is_region = false;
  std::uint64_t writable = 0;
  std::vector<ReplayedPage> pages;
};

class TraceReplay {
 public:
  /// A region or snapshot: its process and its number there.
  using Name = std::pair<std::uint32_t, std::uint32_t>;

  explicit TraceReplay(const std::filesystem::path& file);

  /// Whether somebody may be writing the event that is not complete yet.
  enum class Writers { running, ended };
  /// Reads on, up to the first event that is not complete yet; over it, where it never will be.
  /// Empty, or what is wrong with what it read.
  std::string advance(Writers writers = Writers::running);

  [[nodiscard]] const cow::trace::Header& header() const { return header_; }
  /// Those that are complete, in order.
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  [[nodiscard]] std::size_t count(EventKind kind) const;
  /// Events that were not complete, and those behind them that were not read for it.
  [[nodiscard]] std::uint64_t unfinished() const { return unfinished_ + end_ - read_; }
  [[nodiscard]] const std::map<Name, ReplayedSpace>& spaces() const { return spaces_; }

  /// What entries of a space are that was not made. Those of a call that failed, or began anew, are
  /// left over: with copies where mappings run out, or as a trace began meanwhile.
  enum class Unmade { wrong, left_over };
  /// Empty if this process's page tables show exactly what the replay does, else a sentence.
  [[nodiscard]] std::string difference_from_tables(Unmade unmade = Unmade::wrong) const;

 private:
  void apply(const Event& event);
  void make(const Event& event, bool is_region);
  void begin_process(const Event& event);
  void apply_pending(const Name& name, ReplayedSpace& space);
  void change_entries(ReplayedSpace& space, const Event& event);
  [[nodiscard]] std::string entries_of_none(const std::set<std::uint32_t>& in_the_making) const;
  ReplayedSpace* known(const Event& event);
  void wrong(const Event& event, const std::string& what);

  std::ifstream file_;
  cow::trace::Header header_{};
  std::uint64_t read_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t unfinished_ = 0;
  std::string wrong_;
  std::vector<Event> events_;
  std::map<Name, ReplayedSpace> spaces_;
  std::map<Name, std::vector<Event>> pending_;  ///< entries of what is not made yet
  std::map<std::uint64_t, std::map<Name, ReplayedSpace>> forked_;  ///< by the number of the fork
};

}  // namespace support
