// The recorded trace: bounded, complete, and safe whatever becomes of the process.

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cow/cow.hpp>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "call_filter.hpp"
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

namespace {

std::vector<support::Event> faults_of(const TraceReplay& replay) {
  std::vector<support::Event> faults;
  for (const support::Event& event : replay.events()) {
    if (event.kind == EventKind::fault) faults.push_back(event);
  }
  return faults;
}

/// Whether a child has not ended, which can be waited for as before.
bool is_running(pid_t child) {
  siginfo_t ended{};
  const int error = ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
  return error == 0 && ended.si_pid == 0;
}

}  // namespace

TEST_CASE("a fault is traced with its address, its instruction and its parts", "[api][handler]") {
  const Folder folder;
  Region region = Region::create(8 * support::page_bytes(), support::single_page_options());
  const cow::Trace trace(folder / "t");
  support::store(region, 3, 1, 40);
  const cow::Snapshot past = region.snapshot();
  support::store(region, 3, 2);
  TraceReplay replay(folder / "t");
  REQUIRE(replay.advance() == "");
  const std::vector<support::Event> faults = faults_of(replay);
  REQUIRE(faults.size() == 2);
  const auto begin = reinterpret_cast<std::uint64_t>(region.data());
  CHECK(faults[0].address == begin + 3 * support::page_bytes() + 40);
  CHECK(faults[0].instruction_pointer != 0);
  CHECK(faults[0].first_page == 3);
  CHECK(faults[0].page_count == 8);  // all that shows zeros
  CHECK(faults[0].pages_copied == 0);
  CHECK(faults[1].page_count == 1);
  CHECK(faults[1].pages_copied == 1);
  CHECK(faults[1].writable_after == 1);
  CHECK(faults[1].pid == static_cast<std::uint32_t>(::getpid()));
  CHECK(faults[1].tid == static_cast<std::uint32_t>(::gettid()));
  for (const support::Event& fault : faults) {
    const std::uint64_t parts =
        std::uint64_t{fault.locate_ns} + fault.allocate_ns + fault.copy_ns + fault.map_ns;
    CHECK(parts == fault.whole_ns);
    CHECK(fault.time_ns >= replay.header().started_ns);
  }
  CHECK(std::string(replay.header().library.data()) == COW_VERSION_STRING);
  CHECK(std::string(replay.header().program.data()) ==
        std::filesystem::read_symlink("/proc/self/exe").string());
}

TEST_CASE("a trace has room for as many events as were asked for and counts the rest", "[api]") {
  const Folder folder;
  const cow::Trace trace(folder / "t", {.capacity_events = 16});
  Region region = Region::create(256 * support::page_bytes(), support::single_page_options());
  for (std::size_t i = 0; i < 256; i += 2) {
    support::store(region, i, 1);
    (void)region.snapshot();
  }
  CHECK(trace.events() == 16);
  CHECK(trace.lost() > 100);
  const auto bytes = std::filesystem::file_size(folder / "t");
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  CHECK(bytes == (512 + 16 * sizeof(support::Event) + page - 1) / page * page);
  CHECK(support::bytes_on_disk(folder / "t") >= bytes);
  TraceReplay replay(folder / "t");
  CHECK(replay.advance() == "");
  CHECK(replay.events().size() == 16);
  CHECK(replay.header().capacity == 16);
  CHECK(replay.header().claimed == 16 + trace.lost());
  // Behind the last event there is nothing.
  const std::vector<std::byte> all = support::read_file(folder / "t");
  CHECK(support::all_zero(std::span(all).subspan(512 + 16 * sizeof(support::Event))));
  CHECK(folder.names() == std::vector<std::string>{"t"});
}

TEST_CASE("what a killed process has written is in the file", "[api]") {
  const Folder folder;
  for (unsigned round = 0; round < 5; ++round) {
    support::ForkedChild child([&](support::Peer& parent) -> std::string {
      const cow::Trace trace(folder / "t");
      Region region = Region::create(400 * support::page_bytes(), support::options());
      parent.say();
      for (unsigned i = 0;; ++i) {
        support::store(region, i % 400, i);
        if (i % 50 == round) (void)region.clone();
      }
    });
    REQUIRE(child.peer().hear());
    while (TraceReplay(folder / "t").header().claimed < 2000 && is_running(child.pid()))
      ::sched_yield();
    ::kill(child.pid(), SIGKILL);
    CHECK(child.wait().died_of(SIGKILL));
    TraceReplay replay(folder / "t");
    CHECK(replay.header().claimed >= 2000);
    // At most the event that was being written is missing, and it is the last.
    CHECK(replay.advance(TraceReplay::Writers::ended) == "");
    CHECK(replay.unfinished() <= 1);
    CHECK(replay.events().size() + replay.unfinished() ==
          std::min(replay.header().claimed, replay.header().capacity));
  }
}

TEST_CASE("threads that store beside snapshots leave complete events and an exact replay",
          "[api]") {
  const Folder folder;
  constexpr std::size_t threads = 4;
  constexpr std::size_t pages = 256;
  constexpr std::size_t stores_a_snapshot = 64;  // of a thread
  const std::size_t most_snapshots = support::scaled(40) + 120;
  constexpr std::size_t most_events_a_snapshot = 2000;  // 256 faults, 1024 pages to protect
  std::vector<Region> regions;
  Region shared = Region::create(threads * pages * support::page_bytes(), support::options());
  const cow::Trace trace(folder / "t",
                         {.capacity_events = most_snapshots * most_events_a_snapshot});
  TraceReplay replay(folder / "t");
  support::Rounds stores(threads);
  support::Crew crew;
  for (std::size_t t = 0; t < threads; ++t) {
    crew.repeat([&, t, random = support::Random(t)]() mutable {
      stores.go_on(
          t, [&] { support::store(shared, t * pages + random.below(pages), 1, random.below(64)); });
    });
  }
  std::vector<cow::Snapshot> snapshots;
  std::string complaint;
  const auto storing = [&] {
    std::set<std::uint32_t> tids;
    for (const support::Event& fault : faults_of(replay)) tids.insert(fault.tid);
    return support::kernel_copies() ? threads : tids.size();
  };
  for (std::size_t i = 0; complaint.empty() && i < most_snapshots; ++i) {
    if (i >= support::scaled(40) && storing() == threads) break;
    stores.wait_for_all_but(0);
    stores.allow(stores_a_snapshot);
    snapshots.push_back(shared.snapshot());
    if (i % 3 == 0) regions.push_back(shared.clone());
    if (i % 7 == 0) regions.clear();
    if (i % 5 == 0) snapshots.clear();
    complaint = replay.advance();
  }
  crew.stop();
  CHECK(complaint == "");
  CHECK(replay.advance() == "");
  REQUIRE(trace.lost() == 0);
  CHECK(replay.unfinished() == 0);
  CHECK(replay.difference_from_tables() == "");
  CHECK(storing() == threads);
}

TEST_CASE("a trace goes on when the program has closed every descriptor", "[api]") {
  const Folder folder;
  const auto result = support::run_in_child([&]() -> std::string {
    Region region = Region::create(4 * support::page_bytes());
    const cow::Trace trace(folder / "t");
    support::store(region, 1, 1);
    const std::uint64_t events = trace.events();
    for (int descriptor = 3; descriptor < 100000; ++descriptor) {
      // The report's pipe has a low number: what a program opened is moved out of the way.
      if (descriptor >= 64) ::close(descriptor);
    }
    region = Region::create(4 * support::page_bytes());
    support::store(region, 2, 1);
    return trace.events() > events ? "" : "no event was written";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a trace that is begun knows what is there, and one after the other can be had",
          "[api]") {
  const Folder folder;
  const std::size_t page = support::page_bytes();
  Region region = Region::create(600 * page, support::options());
  for (std::size_t i = 0; i < 590; i += 3) support::store(region, i, 1);
  const cow::Snapshot past = region.snapshot();
  const Region clone = region.clone();
  support::store(region, 100, 2);
  for (unsigned i = 0; i < 3; ++i) {
    const cow::Trace trace(folder / "t");
    TraceReplay replay(folder / "t");
    CHECK(replay.advance() == "");
    CHECK(replay.difference_from_tables() == "");
    CHECK(replay.count(EventKind::region_made) == 2);
    CHECK(replay.count(EventKind::snapshot_made) == 1);
    support::store(region, 200 + i, 2);
    CHECK(replay.advance() == "");
    CHECK(replay.difference_from_tables() == "");
  }
}

TEST_CASE("traces begin and end while threads store and make regions", "[api]") {
  const Folder folder;
  const std::size_t page = support::page_bytes();
  Region shared = Region::create(512 * page, support::options());
  shared.snapshot().save(folder / "image");
  std::vector<Region> last;
  for (int i = 0; i < 3; ++i) last.push_back(shared.clone());
  support::Rounds rounds(last.size());
  support::Crew crew;
  for (std::size_t t = 0; t < last.size(); ++t) {
    crew.repeat([&, t, random = support::Random(t), i = 0u]() mutable {
      rounds.go_on(t, [&] {
        support::store(shared, random.below(512), 1, t);
        if (i % 8 == 0) last[t] = shared.clone(static_cast<cow::CloneMode>(i / 8 % 2));
        if (i % 50 == 7) last[t] = Region::load(folder / "image");
        if (i % 20 == 3) last[t].restore(last[t].snapshot());
        ++i;
      });
    });
  }
  constexpr std::size_t rounds_a_trace = 100;
  const std::size_t traces = support::scaled(60);
  for (std::size_t i = 0; i < traces; ++i) {
    // They are at work, or may be, when a trace begins and when it ends.
    rounds.wait_for_all_but(rounds_a_trace / 2);
    rounds.allow(rounds_a_trace);
    const cow::Trace trace(folder / "t", {.capacity_events = 1u << 17});
    TraceReplay replay(folder / "t");
    for (unsigned looks = 0; looks < 4; ++looks) {
      std::this_thread::yield();
      REQUIRE(replay.advance() == "");
    }
    REQUIRE(trace.lost() == 0);
    if (i + 1 < traces) continue;
    crew.stop();
    REQUIRE(trace.lost() == 0);
    CHECK(replay.advance() == "");
    CHECK(replay.unfinished() == 0);
    CHECK(replay.difference_from_tables(TraceReplay::Unmade::left_over) == "");
  }
}

TEST_CASE("one trace can be on at a time", "[api]") {
  const Folder folder;
  const cow::Trace trace(folder / "one");
  const std::string words =
      support::words_of<std::logic_error>([&] { const cow::Trace second(folder / "two"); });
  CHECK(support::is_sentence(words));
  CHECK(folder.names() == std::vector<std::string>{"one"});
  CHECK_THROWS_AS(cow::Trace(folder / "two", {.capacity_events = 0}), std::logic_error);
}

TEST_CASE("a trace that cannot be written is a sentence, and nothing is different", "[api]") {
  const Folder folder;
  Region region = Region::create(4 * support::page_bytes());
  const auto words = [&](const std::filesystem::path& file) {
    return support::words_of<std::system_error>([&] { const cow::Trace trace(file); });
  };
  for (const std::filesystem::path& file :
       {folder / "no folder/t", folder.path(), std::filesystem::path("/dev/null")}) {
    CAPTURE(file);
    CHECK(words(file).find(file.string()) != std::string::npos);
    CHECK(support::is_sentence(words(file)));
  }
  CHECK(support::words_of<std::invalid_argument>([&] {
          const cow::Trace trace(folder / "t", {.capacity_events = ~std::size_t{0} / 100});
        }).find("events") != std::string::npos);
  CHECK(folder.names().empty());
  const cow::Trace trace(folder / "t");  // and it can be begun still
  support::store(region, 1, 1);
  CHECK(trace.events() > 0);
}

TEST_CASE("a full disk is said, and the file that was there stays", "[api]") {
  if (!support::has_call_filters()) {
    WARN("skipped: no system call can be made to fail here");
    return;
  }
  const Folder folder;
  support::write_file(folder / "t", std::vector<std::byte>(10, std::byte{1}));
  const auto result = support::run_in_child([&]() -> std::string {
    support::CallFilter filter;
    if (!filter.refuse(SYS_fallocate, {}, ENOSPC).install_allowing()) return "no filter";
    return support::words_of<std::system_error>([&] { const cow::Trace trace(folder / "t"); });
  });
  CHECK(result.complaint.find("has no room on its disk") != std::string::npos);
  CHECK(support::read_file(folder / "t").size() == 10);
  CHECK(folder.names() == std::vector<std::string>{"t"});
}

TEST_CASE("a trace larger than the process may make a file is refused without a signal", "[api]") {
  const Folder folder;
  const auto result = support::run_in_child([&]() -> std::string {
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return support::words_of<std::system_error>([&] { const cow::Trace trace(folder / "t"); });
  });
  CHECK(result.complaint.find("ulimit -f") != std::string::npos);
  CHECK(result.exited());
}

TEST_CASE("a trace may lie in memory, on a tmpfs", "[api]") {
  const std::filesystem::path shm = "/dev/shm";
  if (::access(shm.c_str(), W_OK) != 0) {
    WARN("skipped: there is no /dev/shm to write to");
    return;
  }
  const std::filesystem::path file = shm / ("cow-trace-test-" + std::to_string(::getpid()));
  {
    const cow::Trace trace(file, {.capacity_events = 100});
    Region region = Region::create(4 * support::page_bytes());
    support::store(region, 1, 1);
    TraceReplay replay(file);
    CHECK(replay.advance() == "");
    CHECK(replay.difference_from_tables() == "");
  }
  std::filesystem::remove(file);
}
