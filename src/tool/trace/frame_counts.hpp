#pragma once

#include <cstdint>
#include <map>

#include "tool/trace/page_runs.hpp"

namespace cow::tool {

/// How many pages show each frame of a family, kept as runs of frames that as many show.
class FrameCounts {
 public:
  /// One more page shows each of `count` frames from `first` on.
  void add(FrameId first, std::uint64_t count) { change(first, count, true); }
  /// One page less. Those that none shows, in a trace that is damaged, stay so.
  void remove(FrameId first, std::uint64_t count) { change(first, count, false); }

  [[nodiscard]] std::uint64_t pages_that_show(FrameId frame) const;
  /// That at least one page shows.
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  /// That more than one page shows.
  [[nodiscard]] std::uint64_t shared() const { return shared_; }

 private:
  struct Run {
    std::uint64_t frame_count;
    std::uint64_t pages;  ///< that show each of them; never 0
  };
  using Runs = std::map<FrameId, Run>;

  void change(FrameId first, std::uint64_t count, bool adds);
  // The run behind it.
  Runs::iterator change_run(Runs::iterator run, bool adds);
  void split_at(FrameId frame);
  void join_around(FrameId first, FrameId end);
  // The run that `frame` is in, or end().
  [[nodiscard]] Runs::const_iterator covering(FrameId frame) const;

  Runs runs_;
  std::uint64_t frames_ = 0;
  std::uint64_t shared_ = 0;
};

}  // namespace cow::tool
