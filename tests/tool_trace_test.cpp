// What `cow report` makes of trace files: good ones, damaged ones, and what is none.

#include <algorithm>
#include <cstring>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"
#include "tool/tool_error.hpp"
#include "tool/trace/trace_file.hpp"
#include "tool/trace/trace_summary.hpp"
#include "tool/trace/trace_walk.hpp"
#include "trace_maker.hpp"

using namespace cow::tool;
using cow::trace::EntryLook;
using cow::trace::Event;
using cow::trace::EventKind;
using support::Folder;
using support::TraceMaker;

namespace {

// Fails with the whole sentence if that says something else.
bool says(const std::string& sentence, const std::string& part) {
  if (sentence.find(part) != std::string::npos) return true;
  FAIL_CHECK("'" + sentence + "' does not say '" + part + "'");
  return false;
}

std::string refusal(const std::filesystem::path& path) {
  return support::words_of<ToolError>([&] { static_cast<void>(read_trace(path.string())); });
}

TraceFile saved(const Folder& folder, const TraceMaker& maker) {
  return read_trace(maker.save(folder / "trace"));
}

// Replays all of it; the counts kept along agree with those found page by page.
void check_replay(const TraceFile& trace) {
  TraceWalk walk(trace);
  while (const auto step = walk.next()) {
    const FamilyKey key{step->event->pid, step->event->family};
    REQUIRE(walk.replay().counts(key) == walk.replay().recount(key));
  }
}

}  // namespace

TEST_CASE("A trace is read as it was written", "[tool]") {
  const Folder folder;
  const TraceMaker maker = support::usual_trace();
  const TraceFile trace = saved(folder, maker);
  CHECK(trace.program == "/usr/bin/program");
  CHECK(trace.events.size() == maker.events().size());
  CHECK(trace.lost + trace.cut_off + trace.unfinished + trace.unreadable == 0);
  CHECK(is_trace(trace.path));
  CHECK_FALSE(is_trace((folder / "none").string()));
}

TEST_CASE("What is no trace is refused in a sentence with its name", "[tool]") {
  const Folder folder;
  const auto put = [&](const std::string& name, const std::string& text) {
    support::write_file(folder / name, std::as_bytes(std::span(text)));
    return folder / name;
  };
  CHECK(says(refusal(folder / "none"), "none' does not exist"));
  CHECK(says(refusal(folder.path()), "is a directory"));
  CHECK(says(refusal("/dev/null"), "is not a regular file"));
  CHECK(says(refusal(put("empty", "")), "empty' is empty"));
  CHECK(says(refusal(put("text", "hello, world")), "is not a trace of libcow"));
  CHECK(says(refusal(put("short", "cow")), "is cut off within its header"));
  TraceMaker maker = support::usual_trace();
  maker.header.version = 9;
  CHECK(says(refusal(maker.save(folder / "version")), "is a trace of version 9"));
  maker.header.version = cow::trace::kVersion;
  maker.header.event_bytes = 0;
  CHECK(says(refusal(maker.save(folder / "header")), "its header says what cannot be"));
}

TEST_CASE("A trace that was cut off, or not finished, is read as far as it goes", "[tool]") {
  const Folder folder;
  TraceMaker maker = support::usual_trace();
  const std::size_t events = maker.events().size();
  std::vector<std::byte> bytes = maker.bytes();
  bytes.resize(bytes.size() - sizeof(Event) - 5);  // within the last but one
  std::memset(bytes.data() + cow::trace::kHeaderBytes + 3 * sizeof(Event), 0, sizeof(Event));
  support::write_file(folder / "cut", bytes);
  const TraceFile cut = read_trace((folder / "cut").string());
  CHECK(cut.cut_off == 2);
  CHECK(cut.unfinished == 1);
  CHECK(cut.events.size() == events - 3);

  maker.header.capacity = events;
  maker.header.claimed = events + 47;
  CHECK(saved(folder, maker).lost == 47);
  maker.header.claimed = std::uint64_t{1} << 60;
  maker.header.capacity = std::uint64_t{1} << 60;
  const TraceFile promised = saved(folder, maker);
  CHECK(promised.cut_off == (std::uint64_t{1} << 60) - events);
  CHECK(promised.events.size() == events);
}

TEST_CASE("Events that cannot be are counted and left out", "[tool]") {
  const Folder folder;
  TraceMaker maker = support::usual_trace();
  maker.add(EventKind::fault, 2).number = 3;
  maker.add(static_cast<EventKind>(99), 2);
  maker.made(9, std::uint64_t{1} << 60);
  maker.add(EventKind::fault, 2).time_ns = 1;
  maker.add(EventKind::entries, 2).look = static_cast<EntryLook>(7);
  const TraceFile trace = saved(folder, maker);
  CHECK(trace.unreadable == 5);
  CHECK(trace.events.size() == maker.events().size() - 5);
  CHECK(summarize(trace).unreadable == 5);
}

TEST_CASE("What speaks of regions or pages that never were changes nothing", "[tool]") {
  const Folder folder;
  TraceMaker maker;
  maker.made(1, 16);
  maker.fault(7, 0, 0, 1, 1);   // no such region: its entries wait for it for ever
  maker.fault(1, 16, 0, 1, 0);  // behind the end
  maker.entries(1, 8, (std::uint64_t{1} << 52) - 1, 0, EntryLook::writable);
  maker.add(EventKind::restored, 1, 7);
  maker.add(EventKind::region_gone, 7);
  maker.made(1, 16);     // is there
  maker.made(2, 16, 9);  // a clone of nothing
  maker.add(EventKind::process_begun).first_page = 3;
  const TraceFile trace = saved(folder, maker);
  CHECK(trace.unreadable == 0);
  const TraceSummary summary = summarize(trace);
  CHECK(summary.misfits == 8);  // the entries that wait, too
  CHECK(summary.most_frames == 0);
  check_replay(trace);
}

TEST_CASE("The replay knows frames, and who shows them, after every step", "[tool]") {
  const Folder folder;
  const TraceFile trace = saved(folder, support::usual_trace());
  TraceWalk walk(trace);
  std::vector<FamilyCounts> counts;
  while (const auto step = walk.next()) {
    CHECK(step->fits);
    CHECK(step->agrees);
    counts.push_back(step->family_after);
  }
  const std::vector<FamilyCounts> expected = {
      {0, 0, 0},    // made
      {64, 0, 64},  // written from end to end
      {64, 64, 0},  // cloned
      {65, 63, 1},  // a store to the clone
      {66, 62, 2},  // and another
      {66, 62, 3},  // the original's page has one owner
      {66, 64, 1},  // a snapshot of the clone
      {67, 63, 2},  // a store
      {66, 64, 1},  // back
      {64, 64, 0},  // the original is gone
      {64, 0, 0},   // and the snapshot
  };
  CHECK(counts == expected);
}

TEST_CASE("A child begins with what its parent had when it forked", "[tool]") {
  const Folder folder;
  TraceMaker maker;
  maker.made(1, 4);
  maker.fault(1, 0, 0, 0, 1);
  maker.entries(1, 0, 1, 0, EntryLook::read_only);
  const std::uint64_t forked = maker.add(EventKind::process_forked).number;
  maker.fault(1, 0, 50, 1, 1);  // the parent is faster
  maker.run_as(200, 200);
  maker.entries(1, 3, 1, 90, EntryLook::writable);  // that was leased
  Event& begun = maker.add(EventKind::process_begun, 0, TraceMaker::main_pid);
  begun.first_page = forked;
  maker.fault(1, 1, 1, 0, 2);
  const TraceFile trace = saved(folder, maker);
  TraceWalk walk(trace);
  while (const auto step = walk.next()) CHECK((step->fits && step->agrees));
  const Replay& replay = walk.replay();
  const auto parents = replay.find({TraceMaker::main_pid, 1})->runs.at(0);
  const auto childs = replay.find({200, 1})->runs.at(0);
  CHECK(parents->frame == FrameId{1, 50});
  CHECK(childs->frame == FrameId{1, 0});
  CHECK_FALSE(childs->writable);
  CHECK(replay.counts({200, 1}) == FamilyCounts{3, 0, 2});
  CHECK(replay.counts({TraceMaker::main_pid, 1}) == FamilyCounts{1, 0, 1});
}

TEST_CASE("A process whose pid was another's before begins anew", "[tool]") {
  const Folder folder;
  const TraceFile trace = saved(folder, support::trace_with_a_pid_twice());
  check_replay(trace);
  TraceWalk walk(trace);
  while (const auto step = walk.next()) CHECK((step->fits && step->agrees));
  const Replay& replay = walk.replay();
  CHECK(replay.counts({200, 1}) == FamilyCounts{3, 0, 2});
  CHECK(replay.find({200, 5}) == nullptr);
  CHECK_FALSE(replay.find({200, 1})->runs.at(1).has_value());
  CHECK(replay.waiting() == 1);  // what the first one wrote does not become the second one's
  const TraceSummary summary = summarize(trace);
  CHECK(summary.misfits == 1);
  CHECK(summary.most_frames == 4);
  CHECK(summary.earlier_spaces.size() == 2);
}

TEST_CASE("What a child process had is forgotten when it has ended", "[tool]") {
  const Folder folder;
  TraceMaker maker;
  constexpr std::uint64_t pages = 16;
  maker.made(1, pages);
  for (std::uint64_t page = 0; page < pages; page += 2) {
    maker.entries(1, page, 1, page, EntryLook::read_only);
  }
  for (std::uint32_t child = 1; child <= 20; ++child) {
    maker.run_as(TraceMaker::main_pid, TraceMaker::main_pid);
    const std::uint64_t forked = maker.add(EventKind::process_forked).number;
    maker.run_as(1000 + child, 1000 + child);
    maker.add(EventKind::process_begun, 0, TraceMaker::main_pid).first_page = forked;
    maker.made(2, pages, 1);
  }
  const TraceFile trace = saved(folder, maker);
  TraceWalk walk(trace);
  std::size_t most = 0;
  while (walk.next().has_value()) most = std::max(most, walk.replay().spaces().size());
  CHECK(most == 3);  // the parent's region, and two of one child
  check_replay(trace);
}

TEST_CASE("Entries of threads that write at the same time are told apart", "[tool]") {
  const Folder folder;
  TraceMaker maker;
  maker.made(1, 8);
  maker.run_as(TraceMaker::main_pid, 101);
  maker.entries(1, 0, 1, 0, EntryLook::writable);
  maker.run_as(TraceMaker::main_pid, 102);
  maker.fault(1, 4, 4, 0, 2);
  maker.run_as(TraceMaker::main_pid, 101);
  Event& fault = maker.add(EventKind::fault, 1);
  fault.page_count = 1;
  fault.writable_after = 2;
  maker.entries(1, 7, 1, 7, EntryLook::writable);  // its fault never ended
  const TraceFile trace = saved(folder, maker);
  TraceWalk walk(trace);
  std::vector<std::size_t> entries;
  while (const auto step = walk.next()) {
    entries.push_back(step->entries.size());
    if (step->event->tid != TraceMaker::main_pid) CHECK(step->agrees);
  }
  CHECK(entries == std::vector<std::size_t>{0, 1, 1});
  CHECK(summarize(trace).unfinished == 1);
}

TEST_CASE("Any bytes are refused in a sentence, or replayed with counts that are right", "[tool]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const Folder folder;
  const std::filesystem::path path = folder / "mutated";
  std::size_t replayed = 0;
  for (std::size_t round = 0; round < support::scaled(400); ++round) {
    std::vector<std::byte> bytes = support::random_trace(random, 40).bytes();
    // The first eight stay for most rounds: else all would be foreign files.
    const std::size_t first = random.one_in(8) ? 0 : 8;
    for (std::size_t i = random.below(40); i > 0; --i) {
      bytes[random.between(first, bytes.size() - 1)] = std::byte(random.below(256));
    }
    if (random.one_in(5)) bytes.resize(random.below(bytes.size() + 1));
    support::write_file(path, bytes);
    try {
      const TraceFile trace = read_trace(path.string());
      check_replay(trace);
      CHECK(summarize(trace).steps <= trace.events.size());
      ++replayed;
    } catch (const ToolError& error) {
      CHECK(says(error.what(), "mutated'"));
    }
  }
  CHECK(replayed > 0);
}
