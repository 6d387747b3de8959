#include "tool/trace/frame_counts.hpp"

#include <iterator>

namespace cow::tool {
namespace {

FrameId behind(FrameId frame, std::uint64_t count) { return {frame.file, frame.slot + count}; }

}  // namespace

FrameCounts::Runs::const_iterator FrameCounts::covering(FrameId frame) const {
  auto run = runs_.upper_bound(frame);
  if (run == runs_.begin()) return runs_.end();
  --run;
  const bool covers =
      run->first.file == frame.file && frame.slot - run->first.slot < run->second.frame_count;
  return covers ? run : runs_.end();
}

std::uint64_t FrameCounts::pages_that_show(FrameId frame) const {
  const auto run = covering(frame);
  return run == runs_.end() ? 0 : run->second.pages;
}

void FrameCounts::split_at(FrameId frame) {
  const auto found = covering(frame);
  if (found == runs_.end() || found->first == frame) return;
  const std::uint64_t before = frame.slot - found->first.slot;
  const Run rest{found->second.frame_count - before, found->second.pages};
  runs_[found->first].frame_count = before;
  runs_.emplace(frame, rest);
}

// From the run before `first` to the one that begins at `end`.
void FrameCounts::join_around(FrameId first, FrameId end) {
  auto run = runs_.lower_bound(first);
  if (run != runs_.begin()) --run;
  while (run != runs_.end() && run->first < end) {
    const auto next = std::next(run);
    if (next == runs_.end()) return;
    if (behind(run->first, run->second.frame_count) == next->first &&
        run->second.pages == next->second.pages) {
      run->second.frame_count += next->second.frame_count;
      runs_.erase(next);
    } else {
      run = next;
    }
  }
}

FrameCounts::Runs::iterator FrameCounts::change_run(Runs::iterator run, bool adds) {
  Run& shown = run->second;
  if (adds) {
    if (++shown.pages == 2) shared_ += shown.frame_count;
    return std::next(run);
  }
  if (--shown.pages == 1) shared_ -= shown.frame_count;
  if (shown.pages > 0) return std::next(run);
  frames_ -= shown.frame_count;
  return runs_.erase(run);
}

void FrameCounts::change(FrameId first, std::uint64_t count, bool adds) {
  const FrameId end = behind(first, count);
  split_at(first);
  split_at(end);
  auto run = runs_.lower_bound(first);
  for (FrameId at = first; at < end;) {
    const bool has_next = run != runs_.end() && run->first < end;
    if (has_next && run->first == at) {
      at = behind(at, run->second.frame_count);
      run = change_run(run, adds);
      continue;
    }
    // Up to the next run nobody shows them.
    const FrameId next = has_next ? run->first : end;
    if (adds) {
      runs_.emplace_hint(run, at, Run{next.slot - at.slot, 1});
      frames_ += next.slot - at.slot;
    }
    at = next;
  }
  join_around(first, end);
}

}  // namespace cow::tool
