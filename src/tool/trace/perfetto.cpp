#include "tool/trace/perfetto.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tool/fault_decode.hpp"
#include "tool/json_file.hpp"
#include "tool/trace/event_words.hpp"
#include "tool/trace/trace_walk.hpp"

namespace cow::tool {

using trace::Event;
using trace::EventKind;

namespace {

using Json = nlohmann::ordered_json;

/// From `begin` to `end`, in nanoseconds since the trace began.
struct Slice {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

double microseconds(std::uint64_t ns) { return static_cast<double>(ns) / 1000; }

/// Slices of one thread lie side by side or within one another; the viewers need that. A clock that
/// is read by two processors, or a damaged event, can break it: then the later slice begins later.
/// Within a fault are its parts and nothing else.
class ThreadSlices {
 public:
  Slice fit(Slice slice, bool may_contain_others) {
    const std::uint64_t last_end = ends_.empty() ? 0 : ends_.back().end;
    slice.end = std::max(slice.end, last_end);
    slice.begin = std::min(slice.begin, slice.end);
    while (may_contain_others && !ends_.empty() && ends_.back().begin >= slice.begin)
      ends_.pop_back();
    if (!ends_.empty()) slice.begin = std::max(slice.begin, ends_.back().end);
    ends_.push_back(slice);
    return slice;
  }

 private:
  std::vector<Slice> ends_;  ///< that lie in no other, in order
};

class PerfettoWriter {
 public:
  explicit PerfettoWriter(const TraceFile& trace) : trace_(trace), walk_(trace) {}

  std::string run() {
    text_ = R"({"displayTimeUnit":"ns","traceEvents":[)";
    while (const auto step = walk_.next()) take(*step);
    text_ += "\n],\"otherData\":" + one_line(other_data()) + "}\n";
    return std::move(text_);
  }

 private:
  Json other_data() const {
    return {{"program", trace_.program},
            {"kernel", trace_.kernel},
            {"libcow", trace_.library},
            {"lost", trace_.lost}};
  }

  void put(const Json& event) {
    text_ += is_first_ ? "\n" : ",\n";
    is_first_ = false;
    text_ += one_line(event);
  }

  Json begin_event(const char* phase, const std::string& name, const Event& event,
                   std::uint64_t ns) const {
    return {{"ph", phase},      {"name", name},     {"cat", "cow"},
            {"pid", event.pid}, {"tid", event.tid}, {"ts", microseconds(ns)}};
  }

  void put_slice(const std::string& name, const Event& event, Slice slice, Json arguments) {
    Json json = begin_event("X", name, event, slice.begin);
    json["dur"] = microseconds(slice.end - slice.begin);
    if (!arguments.empty()) json["args"] = std::move(arguments);
    put(json);
  }

  void name_thread(const Event& event) {
    if (!threads_.contains({event.pid, 0})) {
      const std::string program = std::filesystem::path(trace_.program).filename().string();
      const std::string name =
          event.pid == trace_.header.pid ? program : fmt::format("{} (child)", program);
      put({{"ph", "M"}, {"name", "process_name"}, {"pid", event.pid}, {"args", {{"name", name}}}});
      threads_[{event.pid, 0}];
    }
    const auto [thread, is_new] = threads_.try_emplace({event.pid, event.tid});
    if (!is_new || event.tid == 0) return;
    const std::string name =
        event.tid == event.pid ? "main thread" : fmt::format("thread {}", event.tid);
    put({{"ph", "M"},
         {"name", "thread_name"},
         {"pid", event.pid},
         {"tid", event.tid},
         {"args", {{"name", name}}}});
  }

  void take(const WalkedStep& step) {
    const Event& event = *step.event;
    name_thread(event);
    const std::uint64_t end = trace_.since_start(event);
    const Slice slice = threads_[{event.pid, event.tid}].fit(
        {end - std::min(end, event.whole_ns), end}, event.kind != EventKind::fault);
    if (event.kind == EventKind::fault) {
      take_fault(step, slice);
    } else if (event.whole_ns > 0) {
      put_slice(title_of(step), event, slice, {{"what", sentence_of(step)}, {"event", step.place}});
    }
    if (is_moment(event.kind)) {
      Json json = begin_event("i", title_of(step), event, slice.end);
      json["s"] = "p";  // a line through the whole process
      put(json);
    }
    count(step, slice.end);
  }

  // What comes or goes, however long it took.
  static bool is_moment(EventKind kind) {
    switch (kind) {
      case EventKind::region_made:
      case EventKind::region_gone:
      case EventKind::snapshot_made:
      case EventKind::snapshot_gone:
      case EventKind::process_forked:
      case EventKind::process_begun: return true;
      default: return false;
    }
  }

  void take_fault(const WalkedStep& step, Slice slice) {
    const Event& event = *step.event;
    put_slice("fault", event, slice,
              {{"store", title_of(step)},
               {"what", sentence_of(step)},
               {"address", hex(event.address)},
               {"instruction", hex(event.instruction_pointer)},
               {"error_code", hex(event.error_code)},
               {"event", step.place}});
    const std::pair<const char*, std::uint32_t> parts[] = {{"locate", event.locate_ns},
                                                           {"allocate", event.allocate_ns},
                                                           {"copy", event.copy_ns},
                                                           {"map", event.map_ns}};
    std::uint64_t at = slice.begin;
    for (const auto& [name, ns] : parts) {
      const std::uint64_t end = std::min(at + ns, slice.end);
      if (end > at) put_slice(name, event, {at, end}, Json::object());
      at = end;
    }
  }

  void count(const WalkedStep& step, std::uint64_t ns) {
    const Event& event = *step.event;
    const auto [known, is_new] = counts_.try_emplace({event.pid, event.family});
    if (event.family == 0 || (!is_new && known->second == step.family_after)) return;
    const auto put_counter = [&](const char* what, std::uint64_t value) {
      put({{"ph", "C"},
           {"name", fmt::format("{} of family {}", what, event.family)},
           {"pid", event.pid},
           {"ts", microseconds(ns)},
           {"args", {{"count", value}}}});
    };
    if (is_new || known->second.frames != step.family_after.frames) {
      put_counter("frames", step.family_after.frames);
    }
    if (is_new || known->second.writable != step.family_after.writable) {
      put_counter("writable pages", step.family_after.writable);
    }
    known->second = step.family_after;
  }

  const TraceFile& trace_;
  TraceWalk walk_;
  std::string text_;
  bool is_first_ = true;
  std::map<std::pair<std::uint32_t, std::uint32_t>, ThreadSlices> threads_;
  std::map<FamilyKey, FamilyCounts> counts_;
};

}  // namespace

std::string perfetto_json(const TraceFile& trace) { return PerfettoWriter(trace).run(); }

}  // namespace cow::tool
