#include "tool/trace/trace_walk.hpp"

#include <utility>

namespace cow::tool {

using trace::Event;
using trace::EventKind;

namespace {

PageBefore look_at(const Replay& replay, SpaceKey key, std::uint64_t page) {
  PageBefore before;
  const ReplayedSpace* const space = replay.find(key);
  if (space == nullptr) return before;
  before.run = space->runs.at(page);
  if (before.run.has_value()) {
    before.pages_that_show_it = replay.pages_that_show({key.pid, space->family}, before.run->frame);
  }
  return before;
}

}  // namespace

TraceWalk::TraceWalk(const TraceFile& trace)
    : trace_(trace), replay_(trace), owners_(trace.events.size()) {
  // Backwards: entries are part of what their thread wrote next.
  std::map<std::pair<std::uint32_t, std::uint32_t>, const Event*> next_of_thread;
  for (std::size_t i = trace.events.size(); i-- > 0;) {
    const Event& event = trace.events[i];
    const Event*& next = next_of_thread[{event.pid, event.tid}];
    if (event.kind != EventKind::entries) next = &event;
    owners_[i] = next;
    if (next == nullptr) ++left_over_;
  }
}

WalkedStep TraceWalk::begin(const Event& event) const {
  WalkedStep step;
  step.event = &event;
  step.family_before = replay_.counts({event.pid, event.family});
  if (event.kind == EventKind::fault) {
    step.page = event.first_page;
    step.before = look_at(replay_, {event.pid, event.space}, *step.page);
  }
  return step;
}

void TraceWalk::end(WalkedStep& step) {
  const Event& event = *step.event;
  const ReplayedSpace* const other = replay_.find({event.pid, event.other});
  step.from_snapshot = other != nullptr && other->is_snapshot;
  const ReplayedSpace* space = replay_.find({event.pid, event.space});
  if (space != nullptr) {
    step.of_snapshot = space->is_snapshot;
    step.space_pages = space->page_count;
  }
  if (!replay_.apply(event)) step.fits = false;
  step.family_after = replay_.counts({event.pid, event.family});
  step.touched = replay_.take_touched({event.pid, event.family});
  space = replay_.find({event.pid, event.space});
  if (space == nullptr) return;
  step.of_snapshot = space->is_snapshot;
  step.space_pages = space->page_count;
  step.agrees = space->writable == event.writable_after;
}

std::optional<WalkedStep> TraceWalk::next() {
  while (next_ < trace_.events.size()) {
    const Event& event = trace_.events[next_];
    const Event* const owner = owners_[next_];
    ++next_;
    if (owner == nullptr) {
      replay_.apply(event);
      continue;
    }
    auto begun = begun_.find(owner);
    if (begun == begun_.end()) begun = begun_.emplace(owner, begin(*owner)).first;
    if (event.kind == EventKind::entries) {
      begun->second.entries.push_back(&event);
      if (!replay_.apply(event)) begun->second.fits = false;
      continue;
    }
    WalkedStep step = std::move(begun->second);
    begun_.erase(begun);
    end(step);
    step.place = ++steps_;
    return step;
  }
  return std::nullopt;
}

}  // namespace cow::tool
