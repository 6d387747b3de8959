#include "tool/trace/trace_summary.hpp"

#include <algorithm>
#include <utility>

#include "tool/trace/event_words.hpp"

namespace cow::tool {

using trace::Event;
using trace::EventKind;

namespace {

class Summarizer {
 public:
  explicit Summarizer(const TraceFile& trace) : trace_(trace), walk_(trace) {}

  TraceSummary run() {
    while (const auto step = walk_.next()) take(*step);
    summary_.lost = trace_.lost;
    summary_.cut_off = trace_.cut_off;
    summary_.unfinished = trace_.unfinished + walk_.left_over();
    summary_.unreadable = trace_.unreadable;
    summary_.misfits += walk_.replay().waiting();
    return std::move(summary_);
  }

 private:
  void take(const WalkedStep& step) {
    const Event& event = *step.event;
    ++summary_.steps;
    summary_.duration_ns = std::max(summary_.duration_ns, trace_.since_start(event));
    summary_.processes.insert(event.pid);
    if (!step.fits) ++summary_.misfits;
    if (!step.agrees) ++summary_.disagreements;
    if (event.pages_copied > 0) {
      summary_.pages_copied += event.pages_copied;
      if (event.kind == EventKind::restored) summary_.pages_put_back += event.pages_copied;
      summary_.copies.push_back({trace_.since_start(event), event.pages_copied});
    }
    if (event.kind == EventKind::process_begun) begin_process(event);
    if (event.kind == EventKind::fault) take_fault(step);
    take_frames(step);
    take_space(step);
  }

  // Whatever had this pid before is another process, and is gone.
  void begin_process(const Event& event) {
    const std::uint32_t pid = event.pid;
    frames_of_process_.erase(pid);
    std::erase_if(frames_of_family_, [&](const auto& entry) { return entry.first.pid == pid; });
    const auto begin = summary_.spaces.lower_bound({pid, 0});
    auto end = begin;
    for (; end != summary_.spaces.end() && end->first.pid == pid; ++end) {
      SpaceSummary& space = end->second;
      if (!space.gone_ns.has_value()) space.gone_ns = trace_.since_start(event);
      summary_.earlier_spaces.emplace_back(end->first, space);
    }
    summary_.spaces.erase(begin, end);
  }

  void take_fault(const WalkedStep& step) {
    const Event& event = *step.event;
    ++summary_.faults;
    summary_.fault_ns += event.whole_ns;
    summary_.pages_copied_by_faults += event.pages_copied;
    std::vector<FaultSummary>& dearest = summary_.dearest;
    if (dearest.size() == most_dear_faults && dearest.back().ns >= event.whole_ns) return;
    if (dearest.size() == most_dear_faults) dearest.pop_back();
    const auto dearer = [&](const FaultSummary& fault) { return fault.ns >= event.whole_ns; };
    dearest.insert(std::find_if_not(dearest.begin(), dearest.end(), dearer),
                   {event.pid, step.place, event.whole_ns, event.pages_copied, title_of(step)});
  }

  // Frames that parent and child share would count twice: so of one process.
  void take_frames(const WalkedStep& step) {
    const FamilyKey key{step.event->pid, step.event->family};
    std::uint64_t& of_process = frames_of_process_[key.pid];
    of_process += step.family_after.frames;
    of_process -= std::exchange(frames_of_family_[key], step.family_after.frames);
    summary_.most_frames = std::max(summary_.most_frames, of_process);
  }

  void take_space(const WalkedStep& step) {
    const Event& event = *step.event;
    if (event.space == 0 || !step.fits) return;
    const auto [place, is_new] = summary_.spaces.try_emplace({event.pid, event.space});
    SpaceSummary& space = place->second;
    if (is_new) {
      space.is_snapshot = step.of_snapshot;
      space.page_count = step.space_pages;
      space.made_ns = trace_.since_start(event);
    }
    if (event.kind == EventKind::fault) ++space.faults;
    const bool is_shared_anew =
        is_new && event.other != 0 &&
        (event.kind == EventKind::region_made || event.kind == EventKind::snapshot_made);
    space.pages_copied += event.pages_copied;
    const ReplayedSpace* const now = walk_.replay().find({event.pid, event.space});
    if (now == nullptr) {
      space.gone_ns = trace_.since_start(event);
    } else {
      if (is_shared_anew) summary_.pages_shared += now->with_frames;
      space.most_writable = std::max(space.most_writable, now->writable);
    }
  }

  const TraceFile& trace_;
  TraceWalk walk_;
  TraceSummary summary_;
  std::map<FamilyKey, std::uint64_t> frames_of_family_;
  std::map<std::uint32_t, std::uint64_t> frames_of_process_;
};

}  // namespace

TraceSummary summarize(const TraceFile& trace) { return Summarizer(trace).run(); }

}  // namespace cow::tool
