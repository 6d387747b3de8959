// The processes of the sides that cow bench measures: where they run, what they have of the
// engine's memory, and that none is left.

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "made_sides.hpp"
#include "measure/engine/noise.hpp"
#include "measure/engine/run.hpp"
#include "measure/experiments.hpp"
#include "measure/host/child_process.hpp"
#include "measure/host/nursery.hpp"
#include "measure/host/pinning.hpp"
#include "measure/host/stop_signals.hpp"
#include "measure/mechanisms/mapping.hpp"

using namespace cow::measure;
using namespace made;

TEST_CASE("sides keep to one processor, unless they have company", "[measure]") {
  const auto allowed = [](std::uint64_t) {
    return TurnResult{{static_cast<double>(allowed_processors())}, {}, {}};
  };
  const std::optional<int> processor = processor_to_pin_to();
  REQUIRE(processor.has_value());
  Comparison one = comparison({side("counts", allowed)}, 1);
  const auto seen = [&] { return rows_of(one, 1, processor).at(0).samples.at(0); };
  CHECK(seen() == 1);
  one.parameters["threads"] = 2;  // a word for pictures: it decides nothing
  CHECK(seen() == 1);
  one.has_company = true;
  CHECK(seen() == allowed_processors());
}

TEST_CASE("whatever runs several threads or processes at once has company", "[measure]") {
  Scale quick;
  quick.is_quick = true;
  std::size_t with_company = 0;
  for (const Experiment& experiment : experiments()) {
    if (experiment.name == "trace") continue;  // which needs a file
    for (const Comparison& comparison : experiment.comparisons(quick)) {
      CAPTURE(experiment.name, comparison.workload);
      const auto& parameters = comparison.parameters;
      const bool is_crowd = parameters.value("threads", 1) > 1 || parameters.value("others", 0) > 0;
      CHECK(comparison.has_company == is_crowd);
      with_company += is_crowd ? 1 : 0;
    }
  }
  CHECK(with_company >= 2);
}

TEST_CASE("a signal that asks to stop is not interrupted by another one", "[measure]") {
  const StopSignals signals;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    REQUIRE(::sigaction(signal, nullptr, &action) == 0);
    if (action.sa_handler == SIG_IGN) continue;
    for (const int other : {SIGINT, SIGTERM, SIGHUP}) {
      CHECK(::sigismember(&action.sa_mask, other) == 1);
    }
  }
}

TEST_CASE("the load before a run is not said to be that of others", "[measure]") {
  const Noise noise{std::vector<double>(100, 1.0), std::nullopt, 1};
  CHECK(warnings_before(noise, 0.5, false).size() + 1 == warnings_before(noise, 4, false).size());
  const std::string warning = warnings_before(noise, 4, false).back();
  CHECK(warning.find("4.0 threads wanted to run") != std::string::npos);
  CHECK(warning.find("of others") == std::string::npos);
}

TEST_CASE("what a side forks ends with it, also when it dies", "[measure]") {
  const Guardian guardian;
  for (const bool dies : {false, true}) {
    Pipe pipe;
    const auto forks = [&pipe, dies](std::uint64_t turn) {
      if (turn == 1) {
        const pid_t child = ::fork();
        if (child == 0) {
          while (true) ::pause();
        }
        pipe.write(&child, sizeof child);
        if (dies) ::raise(SIGKILL);
      }
      return TurnResult{{1.0}, {}, {}};
    };
    const std::vector<Row> rows = rows_of(comparison({side("forks", forks)}));
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].status == (dies ? Status::failed : Status::measured));
    CHECK(::kill(pipe.read_process(), 0) == -1);
    CHECK(errno == ESRCH);
    CHECK(pipe.read_all().empty());
    CHECK_FALSE(has_children());
  }
}

TEST_CASE("a side's process does not outlive the engine's", "[measure]") {
  Pipe pipe;
  const pid_t engine = ::fork();
  REQUIRE(engine >= 0);
  if (engine == 0) {
    const auto sleeps = [&pipe](const Channel&) {
      pipe.write("x", 1);
      while (true) ::pause();
    };
    const ChildProcess child(sleeps, std::nullopt);
    while (true) ::pause();
  }
  // The child is there; then the engine goes, without a chance to do anything.
  CHECK(pipe.read_byte() == 'x');
  ::kill(engine, SIGKILL);
  int status = 0;
  CHECK(::waitpid(engine, &status, 0) == engine);
  CHECK(pipe.read_all().empty());
}

namespace {

/// Of this process, in KiB. The kernel says it of every process that has memory.
double page_tables_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmPTE:")) return std::stod(line.substr(6));
  }
  throw std::runtime_error("/proc/self/status has no VmPTE");
}

}  // namespace

TEST_CASE("a side has no page tables of what the engine allocated after its start", "[measure]") {
  constexpr std::size_t bytes = std::size_t{256} << 20U;
  const double least_kib = static_cast<double>(bytes / host_page_bytes() * 8 / 1024) / 2;
  Plan plan{&an_experiment, {}};
  for (const char* name : {"before", "after"}) {
    plan.comparisons.push_back(comparison({side("looks", [](std::uint64_t) {
      return TurnResult{{page_tables_kib()}, {}, {}};
    })}));
    plan.comparisons.back().workload = name;
  }
  std::optional<Mapping> allocated;
  RunOptions options;
  options.budget_s = 0;
  options.progress = [&](const Progress& progress) {
    if (progress.workload == "after" && !allocated) {
      allocated.emplace(plain_memory({.bytes = bytes}));  // without huge pages
    }
  };
  const double engine_before = page_tables_kib();
  const Result result = run(std::span(&plan, 1), Scale{}, options);
  // What a side is not to have is there.
  CHECK(page_tables_kib() - engine_before > least_kib);
  REQUIRE(result.rows.size() == 2);
  for (const Row& row : result.rows) CHECK(row.reason == "");
  REQUIRE(result.rows[1].samples.size() == 4);
  CHECK(std::abs(result.rows[1].samples[0] - result.rows[0].samples[0]) < least_kib / 4);
  CHECK_FALSE(has_children());
}

TEST_CASE("a side from the nursery dies, is skipped and is waited for as any other", "[measure]") {
  const auto dies = [](std::uint64_t turn) {
    if (turn == 2) ::raise(SIGKILL);
    return TurnResult{{1.0}, {}, {}};
  };
  const auto forks = [](std::uint64_t turn) {
    if (turn == 1 && ::fork() == 0) {
      while (true) ::pause();
    }
    return TurnResult{{static_cast<double>(::getppid())}, {}, {}};
  };
  Plan plan{&an_experiment, {}};
  plan.comparisons.push_back(
      comparison({good_side(),
                  {"cannot be had", []() -> Turn { throw Unavailable("the kernel is too old"); }},
                  side("dies", dies),
                  side("forks", forks)}));
  RunOptions options;
  options.budget_s = 0;
  const Result result = run(std::span(&plan, 1), Scale{}, options);
  REQUIRE(result.rows.size() == 4);
  CHECK(result.rows[0].samples.size() == 4);
  CHECK(result.rows[1].reason == "the kernel is too old");
  CHECK(
      result.rows[2].reason ==
      "its process was killed by SIGKILL (the kernel where memory ran out, or somebody) in turn 2");
  CHECK(result.rows[3].samples == std::vector<double>(4, static_cast<double>(::getpid())));
  CHECK_FALSE(has_children());
}

TEST_CASE("a side from the nursery does not outlive the engine", "[measure]") {
  Pipe pipe;
  const pid_t engine = ::fork();
  REQUIRE(engine >= 0);
  if (engine == 0) {
    Nursery nursery([&pipe](const std::string& request, const Channel&) {
      pipe.write(request.data(), 1);
      while (true) ::pause();
    });
    const auto child = nursery.make("x", std::nullopt);
    while (true) ::pause();
  }
  CHECK(pipe.read_byte() == 'x');
  ::kill(engine, SIGKILL);
  int status = 0;
  CHECK(::waitpid(engine, &status, 0) == engine);
  CHECK(pipe.read_all().empty());
}
