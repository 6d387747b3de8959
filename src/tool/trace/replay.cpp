#include "tool/trace/replay.hpp"

#include <limits>
#include <utility>

#include <fmt/format.h>

#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {

using trace::Event;
using trace::EventKind;

namespace {

// What a recorded program can come to, and far more than one usually does: runs that are held at
// once (some 100 bytes each), and runs that are looked at in all.
constexpr std::uint64_t most_runs_held = 8'000'000;
constexpr std::uint64_t most_work = 400'000'000;

bool is_within(const Event& range, const ReplayedSpace& space) {
  return range.page_count > 0 && range.first_page < space.page_count &&
         range.page_count <= space.page_count - range.first_page;
}

}  // namespace

Replay::Replay(const TraceFile& trace) : trace_(trace) {
  for (const Event& event : trace.events) {
    if (event.kind == EventKind::process_begun && event.first_page != 0) {
      ++children_to_come_[{event.other, event.first_page}];
    }
  }
  find_last_events();
}

// Backwards, as a process does not say that it ends: a later one may have its number. What that
// one's entries say, it writes before it says that it has begun. Processes that were not begun by
// another one in the trace are few, and stay.
void Replay::find_last_events() {
  std::set<std::uint32_t> children;
  for (const Event& event : trace_.events) {
    if (event.kind == EventKind::process_begun) children.insert(event.pid);
  }
  std::map<std::uint32_t, const Event*> begun;  // by the process that was looked at; null: earlier
  for (std::size_t i = trace_.events.size(); i-- > 0;) {
    const Event& event = trace_.events[i];
    if (!children.contains(event.pid)) continue;
    const auto [process, is_first_look] = begun.try_emplace(event.pid, nullptr);
    const Event* const begins = process->second;
    if (begins != nullptr && event.kind == EventKind::entries && event.tid == begins->tid) continue;
    if (is_first_look || begins != nullptr) last_events_.insert(&event);
    process->second = event.kind == EventKind::process_begun ? &event : nullptr;
  }
}

void Replay::refuse(const char* why) const {
  throw ToolError(fmt::format("'{}' cannot be replayed: {}; record less with --events N",
                              printable(trace_.path), why));
}

void Replay::work(std::uint64_t runs) {
  work_done_ += runs + 1;
  if (runs_held_ >= most_runs_held) {
    refuse("at one moment, the pages of all its processes are scattered so much that there is no "
           "memory for them here");
  }
  if (work_done_ >= most_work) {
    refuse("its clones, snapshots, restores and forks, of pages that are scattered, take more work "
           "than is done here");
  }
}

const ReplayedSpace* Replay::find(SpaceKey key) const {
  const auto found = spaces_.find(key);
  return found == spaces_.end() ? nullptr : &found->second;
}

FamilyCounts Replay::counts(FamilyKey key) const {
  const auto found = families_.find(key);
  if (found == families_.end()) return {};
  return {found->second.frames.frames(), found->second.frames.shared(), found->second.writable};
}

FamilyCounts Replay::recount(FamilyKey family) const {
  // Where a run of frames begins and ends, and by how much the pages that show them change there.
  std::map<FrameId, std::int64_t> changes;
  FamilyCounts counts;
  for (const auto& [key, space] : spaces_) {
    if (FamilyKey{key.pid, space.family} != family) continue;
    space.runs.for_each([&](const PageRun& run) {
      ++changes[run.frame];
      --changes[{run.frame.file, run.frame.slot + run.page_count}];
      if (run.writable) counts.writable += run.page_count;
    });
  }
  std::int64_t pages = 0;
  FrameId last;
  for (const auto& [frame, change] : changes) {
    if (pages > 0) counts.frames += frame.slot - last.slot;
    if (pages > 1) counts.shared += frame.slot - last.slot;
    pages += change;
    last = frame;
  }
  return counts;
}

std::uint64_t Replay::pages_that_show(FamilyKey key, FrameId frame) const {
  const auto found = families_.find(key);
  return found == families_.end() ? 0 : found->second.frames.pages_that_show(frame);
}

std::vector<TouchedPages> Replay::take_touched(FamilyKey key) {
  if (key.family != 0) return std::exchange(touched_[key], {});
  std::vector<TouchedPages> all;
  const auto begin = touched_.lower_bound(key);
  auto end = begin;
  for (; end != touched_.end() && end->first.pid == key.pid; ++end) {
    all.insert(all.end(), end->second.begin(), end->second.end());
  }
  touched_.erase(begin, end);
  return all;
}

std::uint64_t Replay::waiting() const {
  std::uint64_t count = left_waiting_;
  for (const auto& [space, entries] : waiting_) count += entries.size();
  return count;
}

void Replay::clear(SpaceKey key, ReplayedSpace& space, std::uint64_t first_page,
                   std::uint64_t page_count) {
  Family& family = families_[{key.pid, space.family}];
  const std::size_t held_before = space.runs.size();
  std::uint64_t runs = 0;
  space.runs.cut(first_page, page_count, [&](const PageRun& run) {
    family.frames.remove(run.frame, run.page_count);
    space.with_frames -= run.page_count;
    if (run.writable) {
      space.writable -= run.page_count;
      family.writable -= run.page_count;
    }
    ++runs;
  });
  runs_held_ += space.runs.size();
  runs_held_ -= held_before;
  work(runs);
}

// Precondition: the pages are clear.
void Replay::show(SpaceKey key, ReplayedSpace& space, const PageRun& run) {
  Family& family = families_[{key.pid, space.family}];
  const std::size_t held_before = space.runs.size();
  space.runs.insert(run);
  runs_held_ += space.runs.size();
  runs_held_ -= held_before;
  family.frames.add(run.frame, run.page_count);
  space.with_frames += run.page_count;
  if (run.writable) {
    space.writable += run.page_count;
    family.writable += run.page_count;
  }
  work(1);
}

// A space takes memory, too, as a run does.
ReplayedSpace& Replay::add(SpaceKey key, ReplayedSpace space) {
  ++runs_held_;
  work(1);
  return spaces_.emplace(key, std::move(space)).first->second;
}

bool Replay::apply_entries(const Event& event) {
  const SpaceKey key{event.pid, event.space};
  const auto found = spaces_.find(key);
  if (found == spaces_.end()) {
    waiting_[key].push_back(&event);
    return true;
  }
  ReplayedSpace& space = found->second;
  if (!is_within(event, space)) return false;
  touched_[{key.pid, space.family}].push_back({key, event.first_page, event.page_count});
  clear(key, space, event.first_page, event.page_count);
  if (event.look == trace::EntryLook::zero) return true;
  show(key, space,
       {event.first_page,
        event.page_count,
        {event.frame_file, event.frame_slot},
        event.look == trace::EntryLook::writable});
  return true;
}

bool Replay::show_what_other_shows(const Event& event, ReplayedSpace& made) {
  const SpaceKey key{event.pid, event.space};
  const SpaceKey other{event.pid, event.other};
  const ReplayedSpace* const shown = find(other);
  if (shown == nullptr || shown->family != made.family || shown->page_count != made.page_count) {
    return false;
  }
  shown->runs.for_each([&](PageRun run) {
    run.writable = false;
    show(key, made, run);
  });
  // What was touched there since the last event is here as it is there.
  std::vector<TouchedPages>& all = touched_[{key.pid, made.family}];
  for (std::size_t i = 0, count = all.size(); i < count; ++i) {
    const TouchedPages touched = all[i];
    if (touched.space == other) all.push_back({key, touched.first_page, touched.page_count});
  }
  return true;
}

bool Replay::make(const Event& event) {
  const SpaceKey key{event.pid, event.space};
  if (event.space == 0 || event.page_count == 0 || spaces_.contains(key)) return false;
  ReplayedSpace& made = add(key, {event.kind == EventKind::snapshot_made, event.family,
                                  event.page_count, event.address, 0, 0, PageRuns()});
  const bool fits = event.other == 0 || show_what_other_shows(event, made);
  return apply_waiting(key) && fits;
}

bool Replay::apply_waiting(SpaceKey key) {
  const auto waiting = waiting_.find(key);
  if (waiting == waiting_.end()) return true;
  bool fits = true;
  for (const Event* const entries : waiting->second) fits = apply_entries(*entries) && fits;
  waiting_.erase(waiting);
  return fits;
}

bool Replay::drop(SpaceKey key) {
  const auto found = spaces_.find(key);
  if (found == spaces_.end()) return false;
  clear(key, found->second, 0, found->second.page_count);
  spaces_.erase(found);
  --runs_held_;
  return true;
}

// The parent goes on at once, and its child says only later that it has begun: what it began with
// is kept until then.
void Replay::fork(const Event& event) {
  const ForkKey key{event.pid, event.number};
  if (!children_to_come_.contains(key)) return;
  Spaces& kept = at_fork_[key];
  for (auto space = spaces_.lower_bound({event.pid, 0});
       space != spaces_.end() && space->first.pid == event.pid; ++space) {
    kept.insert(*space);
    runs_held_ += space->second.runs.size() + 1;
    work(space->second.runs.size());
  }
}

void Replay::forget_process(std::uint32_t pid) {
  for (auto space = spaces_.lower_bound({pid, 0});
       space != spaces_.end() && space->first.pid == pid; space = spaces_.erase(space)) {
    runs_held_ -= space->second.runs.size() + 1;
  }
  families_.erase(families_.lower_bound({pid, 0}),
                  families_.upper_bound({pid, std::numeric_limits<std::uint32_t>::max()}));
  touched_.erase(touched_.lower_bound({pid, 0}),
                 touched_.upper_bound({pid, std::numeric_limits<std::uint32_t>::max()}));
  for (auto entries = waiting_.lower_bound({pid, 0});
       entries != waiting_.end() && entries->first.pid == pid; entries = waiting_.erase(entries)) {
    left_waiting_ += entries->second.size();
  }
}

bool Replay::begin_child(const Event& event) {
  if (event.first_page == 0) return true;
  const ForkKey key{event.other, event.first_page};
  const auto kept = at_fork_.find(key);
  if (kept == at_fork_.end()) return false;
  bool fits = true;
  for (const auto& [original, space] : kept->second) {
    const SpaceKey own{event.pid, original.space};
    if (spaces_.contains(own)) continue;
    ReplayedSpace& begun = add(
        own, {space.is_snapshot, space.family, space.page_count, space.address, 0, 0, PageRuns()});
    space.runs.for_each([&](const PageRun& run) { show(own, begun, run); });
    fits = apply_waiting(own) && fits;
  }
  if (--children_to_come_[key] > 0) return fits;
  for (const auto& [original, space] : kept->second) runs_held_ -= space.runs.size() + 1;
  at_fork_.erase(kept);
  return fits;
}

// Entries have told what became of the pages.
bool Replay::restore(const Event& event) {
  const ReplayedSpace* const region = find({event.pid, event.space});
  const ReplayedSpace* const snapshot = find({event.pid, event.other});
  if (region == nullptr || snapshot == nullptr) return false;
  work(region->runs.size() + snapshot->runs.size());  // whoever compares them has as much
  return true;
}

bool Replay::apply(const Event& event) {
  if (ended_.has_value()) forget_process(*std::exchange(ended_, std::nullopt));
  if (last_events_.contains(&event)) ended_ = event.pid;
  const SpaceKey key{event.pid, event.space};
  switch (event.kind) {
    case EventKind::entries: return apply_entries(event);
    case EventKind::region_made:
    case EventKind::snapshot_made: return make(event);
    case EventKind::region_gone:
    case EventKind::snapshot_gone: return drop(key);
    case EventKind::process_forked: fork(event); return true;
    case EventKind::process_begun: return begin_child(event);
    case EventKind::restored: return restore(event);
    case EventKind::fault:
    case EventKind::discarded:
    case EventKind::lease_begun:
    case EventKind::lease_ended:
    case EventKind::merged:
    case EventKind::collected: return spaces_.contains(key);
    case EventKind::none: break;
  }
  return false;
}

}  // namespace cow::tool
