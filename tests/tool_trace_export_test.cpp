// What `cow report` writes of a trace: its JSON can be replayed by the rules of docs/trace.md, and
// Perfetto's is as the viewers need it.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"
#include "tool/screen.hpp"
#include "tool/trace/event_words.hpp"
#include "tool/trace/perfetto.hpp"
#include "tool/trace/summary_text.hpp"
#include "tool/trace/trace_file.hpp"
#include "tool/trace/trace_json.hpp"
#include "tool/trace/trace_summary.hpp"
#include "trace_maker.hpp"

using namespace cow::tool;
using cow::trace::EntryLook;
using cow::trace::Event;
using cow::trace::EventKind;
using support::Folder;
using support::TraceMaker;
using Json = nlohmann::ordered_json;

namespace {

/// Replays the JSON in the plainest way: every page of every region and snapshot by itself.
class PlainReplay {
 public:
  void apply(const Json& event) {
    const std::string kind = event.at("kind");
    const std::uint32_t pid = event.at("pid");
    if (kind == "region_made" || kind == "snapshot_made") make(pid, event);
    if (kind == "region_gone" || kind == "snapshot_gone") spaces_.erase({pid, event.at("space")});
    if (kind == "restored") show(pid, event);
    if (kind == "process_forked") fork(pid, event);
    if (!event.contains("entries")) return;
    for (const Json& run : event.at("entries")) set(pid, run);
    if (kind == "process_forked") fork(pid, event);  // what they say the child has, too
  }

  [[nodiscard]] FamilyCounts counts(std::uint32_t pid, std::uint32_t family) const {
    std::map<Frame, std::size_t> pages;
    FamilyCounts counts;
    for (const auto& [key, space] : spaces_) {
      if (key.first != pid || space.family != family) continue;
      for (const Page& page : space.pages) {
        if (page.frame.first != 0) ++pages[page.frame];
        if (page.writable) ++counts.writable;
      }
    }
    counts.frames = pages.size();
    for (const auto& [frame, count] : pages) counts.shared += count > 1 ? 1 : 0;
    return counts;
  }

 private:
  using Frame = std::pair<std::uint64_t, std::uint64_t>;
  struct Page {
    Frame frame;
    bool writable = false;
  };
  struct Space {
    std::uint32_t family = 0;
    std::vector<Page> pages;
  };

  static void protect(Space& space) {
    for (Page& page : space.pages) page.writable = false;
  }

  void make(std::uint32_t pid, const Json& event) {
    Space made{event.at("family"), std::vector<Page>(event.at("pages").get<std::size_t>())};
    if (!event.at("other").is_null()) {
      Space& other = spaces_.at({pid, event.at("other")});
      protect(other);
      made.pages = other.pages;
    }
    spaces_[{pid, event.at("space")}] = made;
  }

  void show(std::uint32_t pid, const Json& event) {
    Space& snapshot = spaces_.at({pid, event.at("other")});
    protect(snapshot);
    spaces_.at({pid, event.at("space")}).pages = snapshot.pages;
  }

  // The child has them from now on: nothing else can tell before it has begun.
  void fork(std::uint32_t pid, const Json& event) {
    if (event.at("other").is_null()) return;
    const std::uint32_t child = event.at("other");
    std::erase_if(spaces_, [&](const auto& entry) { return entry.first.first == child; });
    const std::map<std::pair<std::uint32_t, std::uint32_t>, Space> now = spaces_;
    for (const auto& [key, space] : now) {
      if (key.first == pid) spaces_[{child, key.second}] = space;
    }
  }

  void set(std::uint32_t pid, const Json& run) {
    Space& space = spaces_.at({pid, run.at(0)});
    const std::uint64_t first = run.at(1);
    const std::string look = run.at(5);
    for (std::uint64_t i = 0; i < run.at(2); ++i) {
      Page& page = space.pages.at(first + i);
      page = {};
      if (look == "zero") continue;
      page = {{run.at(3), run.at(4).get<std::uint64_t>() + i}, look == "writable"};
    }
  }

  std::map<std::pair<std::uint32_t, std::uint32_t>, Space> spaces_;
};

TraceFile saved(const Folder& folder, const TraceMaker& maker) {
  return read_trace(maker.save(folder / "trace"));
}

void check_json(const TraceFile& trace) {
  const Json document = Json::parse(trace_json(trace).dump());
  PlainReplay replay;
  for (const Json& event : document.at("events")) {
    replay.apply(event);
    if (!event.contains("after")) continue;
    CAPTURE(event.dump());
    const FamilyCounts counts = replay.counts(event.at("pid"), event.at("family"));
    const Json& after = event.at("after");
    REQUIRE(counts == FamilyCounts{after.at("frames"), after.at("shared"), after.at("writable")});
  }
}

TraceMaker trace_with_child() {
  TraceMaker maker;
  maker.made(1, 4);
  maker.fault(1, 0, 0, 0, 1);
  maker.entries(1, 0, 1, 0, EntryLook::read_only);
  Event& forks = maker.add(EventKind::process_forked);
  forks.family = 0;
  const std::uint64_t forked = forks.number;
  maker.fault(1, 0, 50, 1, 1);
  maker.run_as(200, 200);
  Event& begun = maker.add(EventKind::process_begun, 0, TraceMaker::main_pid);
  begun.first_page = forked;
  begun.family = 0;
  maker.fault(1, 0, 70, 1, 1);
  return maker;
}

struct Slice {
  double begin;
  double end;
};

using Thread = std::pair<std::uint32_t, std::uint32_t>;

Thread thread_of(const Json& event) {
  return {event.at("pid").get<std::uint32_t>(), event.at("tid").get<std::uint32_t>()};
}

// Of slices that begin together the longer one is the outer.
void check_nesting(std::vector<Slice> slices) {
  std::sort(slices.begin(), slices.end(), [](const Slice& left, const Slice& right) {
    return std::pair(left.begin, -left.end) < std::pair(right.begin, -right.end);
  });
  constexpr double rounding = 1e-6;
  std::vector<double> ends;
  for (const Slice& slice : slices) {
    while (!ends.empty() && ends.back() <= slice.begin + rounding) ends.pop_back();
    if (!ends.empty()) REQUIRE(slice.end <= ends.back() + rounding);
    ends.push_back(slice.end);
  }
}

void check_perfetto(const TraceFile& trace) {
  const Json document = Json::parse(perfetto_json(trace));
  std::map<Thread, std::vector<Slice>> slices;
  std::set<Thread> named;
  std::size_t faults = 0;
  for (const Json& event : document.at("traceEvents")) {
    const std::string phase = event.at("ph");
    if (phase == "M") {
      if (event.at("name") == "thread_name") named.insert(thread_of(event));
      continue;
    }
    const double begin = event.at("ts");
    REQUIRE(std::isfinite(begin));
    REQUIRE(begin >= 0);
    if (phase != "X") continue;
    const double duration = event.at("dur");
    REQUIRE(std::isfinite(duration));
    REQUIRE(duration >= 0);
    const Thread thread = thread_of(event);
    REQUIRE((named.contains(thread) || thread.second == 0));
    slices[thread].push_back({begin, begin + duration});
    if (event.at("name") == "fault") ++faults;
  }
  for (const auto& [thread, of_thread] : slices) check_nesting(of_thread);
  CHECK(faults == static_cast<std::size_t>(std::count_if(
                      trace.events.begin(), trace.events.end(),
                      [](const Event& event) { return event.kind == EventKind::fault; })));
}

}  // namespace

TEST_CASE("Who replays a trace's JSON page by page counts what it says", "[tool]") {
  const Folder folder;
  check_json(saved(folder, support::usual_trace()));
  check_json(saved(folder, trace_with_child()));
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  for (std::size_t i = 0; i < support::scaled(60); ++i) {
    check_json(saved(folder, support::random_trace(random, 60)));
  }
}

TEST_CASE("A pid that is used again in the JSON begins anew", "[tool]") {
  const Folder folder;
  check_json(saved(folder, support::trace_with_a_pid_twice()));
}

TEST_CASE("A fork in the JSON names the child that said it began there", "[tool]") {
  const Folder folder;
  const Json events = trace_json(saved(folder, trace_with_child())).at("events");
  CHECK(events.at(2).at("kind") == "process_forked");
  CHECK(events.at(2).at("other") == 200);
  CHECK(events.at(4).at("kind") == "process_begun");
  CHECK(events.at(4).at("other") == TraceMaker::main_pid);
}

TEST_CASE("The JSON's head says what was recorded, and what is missing", "[tool]") {
  const Folder folder;
  TraceMaker maker = support::usual_trace();
  maker.header.capacity = maker.events().size();
  maker.header.claimed = maker.events().size() + 3;
  const Json document = trace_json(saved(folder, maker));
  const Json& head = document.at("trace");
  CHECK(document.at("command") == "trace");
  CHECK(head.at("of") == "/usr/bin/program");
  CHECK(head.at("started") == "2026-11-29T10:30:00Z");
  CHECK(head.at("architecture") == "x86-64");
  CHECK(head.at("lost") == 3);
  CHECK(head.at("misfits") == 0);
  CHECK(head.at("warnings").empty());
  CHECK(head.at("events") == document.at("events").size());
  CHECK(head.at("processes") == Json::array({TraceMaker::main_pid}));
  const Json& fault = document.at("events").at(3);
  CHECK(fault.at("kind") == "fault");
  CHECK(fault.at("page") == 17);
  CHECK(fault.at("error_code") == "0x7");
  CHECK(fault.at("parts_ns").at("copy") == 300);
  CHECK(fault.at("entries") == Json::array({Json::array({2, 17, 1, 1, 117, "writable"})}));
}

TEST_CASE("The JSON's head says how many copied pages had no fault", "[tool]") {
  const Folder folder;
  TraceMaker maker = support::usual_trace();
  Event& fault = maker.fault(2, 30, 130, 8, 9);
  fault.page_count = 8;
  const Json warnings = trace_json(saved(folder, maker)).at("trace").at("warnings");
  REQUIRE(warnings.size() == 1);
  CHECK(warnings.at(0).get<std::string>().find("had no fault of their own") != std::string::npos);
}

TEST_CASE("A step is told in words that say the cause", "[tool]") {
  const Folder folder;
  const TraceFile trace = saved(folder, support::usual_trace());
  TraceWalk walk(trace);
  std::vector<std::pair<std::string, std::string>> words;
  while (const auto step = walk.next()) {
    words.emplace_back(title_of(*step), sentence_of(*step));
  }
  const auto says = [&](std::size_t step, const std::string& title, const std::string& part) {
    CAPTURE(words.at(step).second);
    CHECK(words.at(step).first == title);
    CHECK(words.at(step).second.find(part) != std::string::npos);
  };
  says(0, "Region 1 is made", "It has 64 pages, none of which has a frame");
  says(1, "Store to page 0 of region 1", "The page had no frame and showed zeros");
  says(2, "Region 2 is cloned from region 1", "shows the same frames: nothing is copied");
  says(3, "Store to page 17 of region 2", "as 1 other page showed its frame: it is copied");
  says(5, "Store to page 17 of region 1", "Nobody else showed its frame any more");
  says(6, "Snapshot 3 of region 2", "It took 200 ns.");
  says(8, "Region 2 goes back to snapshot 3", "1 page is copied.");
  says(9, "Region 1 is gone", "2 frames are given back.");
}

TEST_CASE("A child without its parent's regions is told from one that shares them", "[tool]") {
  const Folder folder;
  TraceMaker maker = trace_with_child();
  maker.run_as(300, 300);
  maker.add(EventKind::process_begun, 0, TraceMaker::main_pid);
  const TraceFile trace = saved(folder, maker);
  TraceWalk walk(trace);
  std::vector<std::string> sentences;
  while (const auto step = walk.next()) {
    if (step->event->kind == EventKind::process_begun) sentences.push_back(sentence_of(*step));
  }
  CHECK(sentences ==
        std::vector<std::string>{
            "Parent and child show the same frames, read-only: whoever stores first gets a copy.",
            "It inherits none of its parent's regions."});
}

TEST_CASE("Perfetto's JSON has one slice a fault, and slices that nest", "[tool]") {
  const Folder folder;
  check_perfetto(saved(folder, support::usual_trace()));
  check_perfetto(saved(folder, trace_with_child()));
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  for (std::size_t i = 0; i < support::scaled(40); ++i) {
    TraceMaker maker = support::random_trace(random, 60);
    if (i % 2 == 1) {  // a clock that goes back and forth
      std::vector<std::byte> bytes = maker.bytes();
      for (std::size_t event = 0; event < maker.events().size(); ++event) {
        const std::uint64_t time = 1'000'000 + random.below(5000);
        std::memcpy(bytes.data() + cow::trace::kHeaderBytes + event * sizeof(Event) +
                        offsetof(Event, time_ns),
                    &time, sizeof(time));
      }
      support::write_file(folder / "clock", bytes);
      check_perfetto(read_trace((folder / "clock").string()));
    } else {
      check_perfetto(saved(folder, maker));
    }
  }
}

TEST_CASE("The line of what was copied when is as wide as was asked for", "[tool]") {
  CHECK(heat_line({}, 100, 4) == "    ");
  CHECK(heat_line({{0, 1}, {99, 8}, {100, 8}}, 100, 4) == ".  @");
  CHECK(heat_line({{5, 3}}, 0, 4) == "@   ");
}

TEST_CASE("What restores put back is no copy that copying eagerly would have saved", "[tool]") {
  const Folder folder;
  const TraceSummary usual = summarize(saved(folder, support::usual_trace()));
  CHECK(usual.pages_put_back == 1);
  CHECK(copied_text(usual) == "4 pages, 3 of them by faults, 1 put back by restores");
  CHECK(eagerly_text(usual) ==
        "clones and snapshots, copied when they were made, would have been 128 pages; 3 pages were "
        "copied, without those put back: 2.3 % of that");

  TraceMaker rollbacks;
  rollbacks.made(1, 1);
  rollbacks.fault(1, 0, 0, 0, 1);
  rollbacks.entries(1, 0, 1, 0, EntryLook::read_only);
  rollbacks.snapshot(2, 1, 1);
  for (std::uint64_t i = 0; i < 5; ++i) {
    rollbacks.fault(1, 0, 1, 1, 1);
    rollbacks.entries(1, 0, 1, 0, EntryLook::read_only);
    rollbacks.add(EventKind::restored, 1, 2).pages_copied = 1;
  }
  const TraceSummary again = summarize(saved(folder, rollbacks));
  CHECK(again.pages_put_back == 5);
  CHECK(eagerly_text(again) ==
        "clones and snapshots, copied when they were made, would have been 1 page; 5 pages were "
        "copied, without those put back: more than that, as pages that are shared again after a "
        "restore, or with a child or a file, are copied as well");
}
