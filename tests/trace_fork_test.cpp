// One trace of a process and its children.

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cow/cow.hpp>
#include <string>

#include "catch.hpp"
#include "crew.hpp"
#include "folder.hpp"
#include "support.hpp"
#include "trace_replay.hpp"
#include "trace_rounds.hpp"

using cow::Region;
using support::EventKind;
using support::Folder;
using support::TraceReplay;

TEST_CASE("parent and child write to one trace, and both replays are exact", "[api]") {
  const Folder folder;
  const std::size_t page = support::page_bytes();
  Region region = Region::create(40 * page, support::options());
  for (std::size_t i = 0; i < 30; ++i) support::store(region, i, 1);
  const cow::Snapshot past = region.snapshot();
  const cow::Trace trace(folder / "t");
  support::store(region, 5, 2);
  const cow::WriteLease lease = region.write_lease(8 * page, 3 * page);
  support::ForkedChild child([&](support::Peer& parent) -> std::string {
    if (!parent.hear()) return "";
    support::store(region, 6, 3);
    support::store(region, 9, 3);
    Region mine = Region::create(3 * page);
    support::store(mine, 0, 3);
    region.restore(past);
    TraceReplay replay(folder / "t");
    std::string complaint = replay.advance();
    if (complaint.empty()) complaint = replay.difference_from_tables();
    return complaint;
  });
  const auto child_id = static_cast<std::uint32_t>(child.pid());
  support::store(region, 6, 4);  // before the child begins to do anything
  (void)region.snapshot();
  child.peer().say();
  const auto result = child.wait();
  CHECK(result.complaint == "");
  CHECK(result.exited());
  support::store(region, 7, 4);
  TraceReplay replay(folder / "t");
  CHECK(replay.advance() == "");
  CHECK(replay.difference_from_tables() == "");
  CHECK(replay.count(EventKind::process_forked) == 1);
  REQUIRE(replay.count(EventKind::process_begun) == 1);
  const auto begun = std::find_if(
      replay.events().begin(), replay.events().end(),
      [](const support::Event& event) { return event.kind == EventKind::process_begun; });
  CHECK(begun->other == static_cast<std::uint32_t>(::getpid()));
  CHECK(begun->pid == child_id);
}

TEST_CASE("a child that is forked while others are, and has children, is in the trace", "[api]") {
  const Folder folder;
  Region region = Region::create(20 * support::page_bytes(), support::options());
  const cow::Trace trace(folder / "t");
  const auto live = [&](unsigned value) -> std::string {
    support::store(region, value % 20, value);
    const auto grandchild = support::run_in_child([&]() -> std::string {
      support::store(region, (value + 1) % 20, value);
      TraceReplay replay(folder / "t");
      const std::string complaint = replay.advance();
      return complaint.empty() ? replay.difference_from_tables() : complaint;
    });
    return grandchild.complaint;
  };
  for (unsigned i = 0; i < 6; ++i) {
    const auto result = support::run_in_child([&] { return live(i); });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
  TraceReplay replay(folder / "t");
  CHECK(replay.advance() == "");
  CHECK(replay.count(EventKind::process_begun) == 12);
  CHECK(replay.difference_from_tables() == "");
}

TEST_CASE("a fork beside a thread that makes and drops regions leaves an exact replay", "[api]") {
  const Folder folder;
  const std::size_t forks = std::max<std::size_t>(10, support::scaled(40));
  constexpr std::size_t rounds_a_fork = 60;
  constexpr std::size_t most_events_a_round = 20;
  const cow::Trace trace(folder / "t",
                         {.capacity_events = forks * rounds_a_fork * most_events_a_round});
  support::Rounds rounds(1);
  support::Crew crew;
  crew.repeat([&, i = 0u]() mutable {
    rounds.go_on(0, [&] {
      Region region = Region::create((1 + i % 40) * support::page_bytes(), support::options());
      support::store(region, 0, i);
      const Region clone = region.clone();
      ++i;
    });
  });
  for (std::size_t i = 0; i < forks; ++i) {
    rounds.wait_for_all_but(0);
    rounds.allow(rounds_a_fork);
    rounds.wait_for_all_but(rounds_a_fork - 1 - i % 20);  // then it is at work
    const auto result = support::run_in_child([&]() -> std::string {
      TraceReplay replay(folder / "t");
      std::string complaint;
      // The parent's maker may be in the middle of an event: this child's are behind it.
      while (complaint.empty() && replay.count(EventKind::process_begun) <= i) {
        if (trace.lost() > 0) return "the trace is full";
        complaint = replay.advance();
        ::sched_yield();
      }
      if (complaint.empty()) complaint = replay.advance();
      return complaint.empty() ? replay.difference_from_tables() : complaint;
    });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
  crew.stop();
  CHECK(trace.lost() == 0);
  TraceReplay replay(folder / "t");
  CHECK(replay.advance() == "");
  CHECK(replay.unfinished() == 0);
  CHECK(replay.difference_from_tables() == "");
}
