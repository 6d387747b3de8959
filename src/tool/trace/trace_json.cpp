#include "tool/trace/trace_json.hpp"

#include <algorithm>
#include <cow/version.hpp>
#include <ctime>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "measure/trace/unseen_stores.hpp"
#include "tool/fault_decode.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"
#include "tool/trace/event_words.hpp"
#include "tool/trace/trace_walk.hpp"

namespace cow::tool {

using trace::EntryLook;
using trace::Event;
using trace::EventKind;

namespace {

using Json = nlohmann::ordered_json;

// More than a trace of the usual size takes, and some 500 MB of memory here.
constexpr std::size_t most_entries = 2'000'000;

[[noreturn]] void refuse_entries(const TraceFile& trace) {
  throw ToolError(fmt::format("'{}' has too many pages that go to and fro for one document (more "
                              "than {} entries); its text has no such limit, or record less of the "
                              "program with --events N",
                              printable(trace.path), with_commas(most_entries)));
}

Json run_json(std::uint32_t space, const PageRun& run) {
  return {space,          run.first_page,
          run.page_count, run.frame.file,
          run.frame.slot, name_of(run.writable ? EntryLook::writable : EntryLook::read_only)};
}

Json zeros_json(std::uint32_t space, std::uint64_t first_page, std::uint64_t page_count) {
  return {space, first_page, page_count, 0, 0, name_of(EntryLook::zero)};
}

// What these pages show now: runs, and zeros between them.
void append_now(const Replay& replay, const TouchedPages& touched, Json& entries) {
  const ReplayedSpace* const space = replay.find(touched.space);
  if (space == nullptr) return;
  const std::uint32_t number = touched.space.space;
  std::uint64_t next = touched.first_page;
  space->runs.for_each_within(touched.first_page, touched.page_count, [&](const PageRun& run) {
    if (run.first_page > next) {
      entries.push_back(zeros_json(number, next, run.first_page - next));
    }
    entries.push_back(run_json(number, run));
    next = run.first_page + run.page_count;
  });
  const std::uint64_t end = touched.first_page + touched.page_count;
  if (end > next) entries.push_back(zeros_json(number, next, end - next));
}

// Sorted, and joined where they overlap or are neighbours.
std::vector<TouchedPages> united(std::vector<TouchedPages> all) {
  std::sort(all.begin(), all.end(), [](const TouchedPages& left, const TouchedPages& right) {
    return std::tie(left.space, left.first_page) < std::tie(right.space, right.first_page);
  });
  std::vector<TouchedPages> united;
  for (const TouchedPages& touched : all) {
    if (united.empty() || united.back().space != touched.space ||
        touched.first_page > united.back().first_page + united.back().page_count) {
      united.push_back(touched);
      continue;
    }
    TouchedPages& last = united.back();
    const std::uint64_t end = touched.first_page + touched.page_count;
    last.page_count = std::max(last.page_count, end - last.first_page);
  }
  return united;
}

void append_writable(const Replay& replay, SpaceKey key, std::vector<TouchedPages>& pages) {
  const ReplayedSpace* const space = replay.find(key);
  if (space == nullptr || space->writable == 0) return;
  space->runs.for_each([&](const PageRun& run) {
    if (run.writable) pages.push_back({key, run.first_page, run.page_count});
  });
}

void append_differences(const Replay& replay, SpaceKey one, SpaceKey other,
                        std::vector<TouchedPages>& pages) {
  const ReplayedSpace* const left = replay.find(one);
  const ReplayedSpace* const right = replay.find(other);
  if (left == nullptr || right == nullptr) return;
  for_each_unlike(left->runs, right->runs, [&](std::uint64_t first, std::uint64_t count) {
    pages.push_back({one, first, count});
  });
}

// What whoever replays the document has to know besides the event: see docs/trace.md. There, what
// is shown by two is read-only, and a restored region shows the snapshot's frames; where that is
// not so, entries say it.
void add_entries(const WalkedStep& step, const Replay& replay, Json& json) {
  const Event& event = *step.event;
  std::vector<TouchedPages> pages = step.touched;
  const SpaceKey own{event.pid, event.space};
  const SpaceKey other{event.pid, event.other};
  if (event.kind == EventKind::region_made || event.kind == EventKind::snapshot_made) {
    append_writable(replay, other, pages);
  } else if (event.kind == EventKind::restored) {
    for (const TouchedPages& touched : step.touched) {  // there it was shown before they were
      if (touched.space == other) pages.push_back({own, touched.first_page, touched.page_count});
    }
    append_differences(replay, own, other, pages);
    append_writable(replay, other, pages);
  }
  Json entries = Json::array();
  for (const TouchedPages& touched : united(std::move(pages))) {
    append_now(replay, touched, entries);
  }
  if (!entries.empty()) json["entries"] = std::move(entries);
}

bool has_other(const Event& event) {
  switch (event.kind) {
    case EventKind::region_made:
    case EventKind::snapshot_made:
    case EventKind::restored:
    case EventKind::merged:
    case EventKind::process_forked:
    case EventKind::process_begun: return true;
    default: return false;
  }
}

void add_fault(const WalkedStep& step, Json& json) {
  const Event& event = *step.event;
  json["page"] = *step.page;
  json["pages"] = event.page_count;
  json["copied"] = event.pages_copied;
  json["address"] = hex(event.address);
  json["instruction_pointer"] = hex(event.instruction_pointer);
  json["error_code"] = hex(event.error_code);
  json["parts_ns"] = {{"locate", event.locate_ns},
                      {"allocate", event.allocate_ns},
                      {"copy", event.copy_ns},
                      {"map", event.map_ns}};
}

void add_call(const WalkedStep& step, Json& json) {
  const Event& event = *step.event;
  const bool is_made =
      event.kind == EventKind::region_made || event.kind == EventKind::snapshot_made;
  if (is_made) {
    json["pages"] = step.space_pages;
  } else if (event.page_count > 0) {
    json["page"] = event.first_page;
    json["pages"] = event.page_count;
  }
  if (event.pages_copied > 0) json["copied"] = event.pages_copied;
  if (event.kind == EventKind::region_made) json["address"] = hex(event.address);
}

/// The children that say they began with what their parent had at an event.
using Children = std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint32_t>;

Children children_of(const TraceFile& trace) {
  Children children;
  for (const Event& event : trace.events) {
    if (event.kind == EventKind::process_begun) {
      children.emplace(std::pair(event.other, event.first_page), event.pid);
    }
  }
  return children;
}

// Of a fork: the child, which the parent did not know yet.
Json other_json(const Event& event, const Children& children) {
  std::uint32_t other = event.other;
  if (event.kind == EventKind::process_forked) {
    const auto child = children.find({event.pid, event.number});
    other = child == children.end() ? 0 : child->second;
  } else if (event.kind == EventKind::process_begun && event.first_page == 0) {
    other = 0;
  }
  return other == 0 ? Json() : Json(other);
}

Json event_json(const WalkedStep& step, const Replay& replay, const TraceFile& trace,
                const Children& children) {
  const Event& event = *step.event;
  Json json = {{"number", event.number},
               {"ns", trace.since_start(event)},
               {"pid", event.pid},
               {"tid", event.tid},
               {"kind", name_of(event.kind)}};
  if (event.family != 0) json["family"] = event.family;
  if (event.space != 0) json["space"] = event.space;
  if (has_other(event)) json["other"] = other_json(event, children);
  if (event.kind == EventKind::fault) {
    add_fault(step, json);
  } else {
    add_call(step, json);
  }
  if (event.whole_ns > 0) json["whole_ns"] = event.whole_ns;
  add_entries(step, replay, json);
  if (event.space != 0) json["writable_after"] = event.writable_after;
  if (event.family != 0) {
    json["after"] = {{"frames", step.family_after.frames},
                     {"writable", step.family_after.writable},
                     {"shared", step.family_after.shared}};
  }
  json["title"] = title_of(step);
  json["sentence"] = sentence_of(step);
  if (!step.fits) json["fits"] = false;
  return json;
}

Json trace_head(const TraceFile& trace) {
  return {{"of", trace.program},
          {"pid", trace.header.pid},
          {"started", utc_text(trace.header.started_utc_ns)},
          {"kernel", trace.kernel},
          {"architecture", architecture_text(trace.header.architecture)},
          {"library", trace.library},
          {"page_bytes", trace.header.page_bytes},
          {"capacity", trace.header.capacity},
          {"events", 0},
          {"lost", trace.lost},
          {"cut_off", trace.cut_off},
          {"unfinished", trace.unfinished},
          {"unreadable", trace.unreadable},
          {"misfits", 0},
          {"warnings", measure::unseen_stores(trace)},
          {"processes", Json::array()}};
}

}  // namespace

std::string utc_text(std::uint64_t ns_since_1970) {
  const auto seconds = static_cast<std::time_t>(ns_since_1970 / 1'000'000'000);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "unknown";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string architecture_text(std::uint32_t elf_machine) {
  constexpr std::uint32_t x86_64 = 62;
  constexpr std::uint32_t arm64 = 183;
  if (elf_machine == x86_64) return name_of(Architecture::x86_64);
  if (elf_machine == arm64) return name_of(Architecture::arm64);
  return std::to_string(elf_machine);
}

nlohmann::ordered_json trace_json(const TraceFile& trace) {
  Json head = trace_head(trace);
  Json events = Json::array();
  std::set<std::uint32_t> processes;
  std::uint64_t misfits = 0;
  std::size_t entries = 0;
  const Children children = children_of(trace);
  TraceWalk walk(trace);
  while (const auto step = walk.next()) {
    processes.insert(step->event->pid);
    if (!step->fits) ++misfits;
    events.push_back(event_json(*step, walk.replay(), trace, children));
    const auto of_event = events.back().find("entries");
    if (of_event != events.back().end()) entries += of_event->size();
    if (entries > most_entries) refuse_entries(trace);
  }
  head["events"] = events.size();
  head["unfinished"] = trace.unfinished + walk.left_over();
  head["misfits"] = misfits + walk.replay().waiting();
  head["processes"] = processes;
  return {{"program", "cow"},
          {"version", COW_VERSION_STRING},
          {"command", "trace"},
          {"trace", std::move(head)},
          {"events", std::move(events)}};
}

}  // namespace cow::tool
