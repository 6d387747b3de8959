// The engine of cow bench: sides in processes of their own, whatever becomes of them; whose turn it
// is; what is kept of a run that is stopped; that no process is left.

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "made_sides.hpp"
#include "measure/engine/answer.hpp"
#include "measure/engine/run.hpp"
#include "measure/engine/take_turns.hpp"
#include "measure/host/child_process.hpp"
#include "measure/mechanisms/numbers_of_child.hpp"

using namespace cow::measure;
using namespace made;

TEST_CASE("whatever becomes of a side, its row has the reason and no sample", "[measure]") {
  const auto at_turn_two = [](const std::function<void()>& what) {
    return [what](std::uint64_t turn) {
      if (turn == 2) what();
      return TurnResult{{1.0}, {}, {}};
    };
  };
  const std::vector<Side> sides = {
      good_side(),
      {"cannot be had", []() -> Turn { throw Unavailable("the kernel is too old"); }},
      {"throws before", []() -> Turn { throw std::runtime_error("no frames"); }},
      {"prepares nothing", [] { return Turn(); }},
      side("throws", at_turn_two([] { throw std::runtime_error("lost a page"); })),
      side("throws a number", at_turn_two([] { throw 7; })),
      side("is killed", at_turn_two([] { ::raise(SIGKILL); })),
      side("crashes", at_turn_two([] {
             ::signal(SIGSEGV, SIG_DFL);
             ::raise(SIGSEGV);
           })),
      side("exits", at_turn_two([] { ::_exit(4); })),
      side("exits with a word", at_turn_two([] {
             constexpr std::string_view lines = "first\nthe kernel refused to open a page\n";
             static_cast<void>(!::write(STDERR_FILENO, lines.data(), lines.size()));
             ::_exit(3);
           })),
      side("child throws", at_turn_two([] {
             static_cast<void>(
                 numbers_of_child(1, [](auto) { throw std::runtime_error("no page was left"); }));
           })),
      side("finds nothing", [](std::uint64_t) { return TurnResult{}; }),
      side("finds no number",
           [](std::uint64_t) {
             return TurnResult{{std::nan("")}, {}, {}};
           }),
      side("finds too much", [](std::uint64_t) {
        return TurnResult{std::vector<double>(most_message_bytes / sizeof(double), 0.1), {}, {}};
      })};
  const std::map<std::string, std::string> reasons = {
      {"cannot be had", "the kernel is too old"},
      {"throws before", "no frames, in being prepared"},
      {"prepares nothing", "it prepared nothing, in being prepared"},
      {"throws", "lost a page, in turn 2"},
      {"throws a number", "it threw something that is no std::exception, in turn 2"},
      {"is killed", "its process was killed by SIGKILL (the kernel where memory ran out, or "
                    "somebody) in "
                    "turn 2"},
      {"crashes", "its process was ended by signal 11 (Segmentation fault) in turn 2"},
      {"exits", "its process ended with exit code 4 in turn 2"},
      {"exits with a word",
       "its process ended with exit code 3 in turn 2: the kernel refused to open a page"},
      {"child throws",
       "a child process that measures ended with exit code 3: no page was left, in turn 2"},
      {"finds nothing", "it returned no sample in the rehearsal"},
      {"finds no number", "it returned a sample that is not a number in the rehearsal"},
      {"finds too much", "it found more than can be passed on, in the rehearsal"}};
  const std::vector<Row> rows = rows_of(comparison(sides));
  REQUIRE(rows.size() == sides.size());
  CHECK(rows[0].status == Status::measured);
  CHECK(rows[0].samples == std::vector<double>{101, 102, 103, 104});
  CHECK(rows[0].turn_sizes == std::vector<std::size_t>{1, 1, 1, 1});
  REQUIRE(rows[0].parts.size() == 1);
  CHECK(rows[0].parts[0].values == std::vector<double>{1, 2, 3, 4});
  CHECK(rows[0].counts == std::vector<std::pair<std::string, double>>{{"faults", 4}});
  for (std::size_t i = 1; i < rows.size(); ++i) {
    INFO(rows[i].mechanism);
    CHECK(rows[i].status == (i == 1 ? Status::skipped : Status::failed));
    CHECK(rows[i].reason == reasons.at(rows[i].mechanism));
    CHECK(rows[i].samples.empty());
    CHECK(rows[i].turn_sizes.empty());
    CHECK(rows[i].parts.empty());
    CHECK(rows[i].counts.empty());
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("a row knows which samples are of one turn, and what could not be counted", "[measure]") {
  Comparison made = comparison({side("many", [](std::uint64_t turn) {
    return TurnResult{std::vector<double>(turn + 2, 1.0), {}, {}};
  })});
  made.counters_absent = {{"TLB flushes", "it is forbidden"}};
  const std::vector<Row> rows = rows_of(made);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].turn_sizes == std::vector<std::size_t>{3, 4, 5, 6});
  CHECK(rows[0].samples.size() == 18);
  CHECK(rows[0].counters_absent == made.counters_absent);
}

TEST_CASE("a side that hangs is ended, and the others go on", "[measure]") {
  TurnLimits limits;
  limits.share_s = 0;
  limits.turn_s = 3;  // of the good side, too, on a machine that is busy
  Order order(1);
  const auto hangs = [](std::uint64_t turn) {
    while (turn == 1) ::pause();
    return TurnResult{{1.0}, {}, {}};
  };
  const std::vector<Row> rows =
      take_turns("test", comparison({side("hangs", hangs), good_side()}), limits, order);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].status == Status::failed);
  CHECK(rows[0].reason == "it did not come to an end within 3 s in turn 1");
  CHECK(rows[1].samples.size() == 4);
  CHECK_FALSE(has_children());
}

TEST_CASE("the order of turns is random, and the same for the same seed", "[measure]") {
  const auto order_seen = [](std::uint64_t seed) {
    Pipe pipe;
    std::vector<Side> sides;
    for (const char* name : {"a", "b", "c"}) {
      sides.push_back(side(name, [&pipe, name](std::uint64_t) {
        pipe.write(name, 1);
        return TurnResult{{1.0}, {}, {}};
      }));
    }
    CHECK(rows_of(comparison(sides, 20), seed).size() == 3);
    return pipe.read_all();
  };
  const std::string first = order_seen(1);
  REQUIRE(first.size() == 63);
  CHECK(order_seen(1) == first);
  CHECK(order_seen(2) != first);
  bool is_always_the_same = true;
  for (std::size_t at = 0; at < first.size(); at += 3) {
    const std::string round = first.substr(at, 3);
    is_always_the_same = is_always_the_same && round == first.substr(0, 3);
    for (const char name : {'a', 'b', 'c'}) CHECK(round.find(name) != std::string::npos);
  }
  CHECK_FALSE(is_always_the_same);
}

TEST_CASE("where the time is over fewer turns are taken than the least, and the row says so",
          "[measure]") {
  for (const bool is_over : {false, true}) {
    CAPTURE(is_over);
    TurnLimits limits;
    limits.share_s = 0;
    limits.most_s = is_over ? 0 : 1e9;
    Order order(1);
    const std::vector<Row> rows =
        take_turns("test", comparison({good_side("one"), good_side("other")}), limits, order);
    REQUIRE(rows.size() == 2);
    for (const Row& row : rows) {
      CHECK(row.status == Status::measured);
      CHECK(row.samples.size() == (is_over ? 1 : 4));
      const std::vector<std::string> warnings{"1 turn only: the time was over"};
      CHECK(row.warnings == (is_over ? warnings : std::vector<std::string>{}));
    }
  }
}

TEST_CASE("the last comparison gets its part of the time, whatever the others took", "[measure]") {
  CHECK(share_s(40, 0, 10, 10) == 4);
  CHECK(share_s(40, 8, 10, 8) == 4);
  CHECK(share_s(40, 4, 10, 8) == 4.5);  // what others left over is shared
  CHECK(share_s(40, 39, 10, 1) == 4);   // of what others took beyond theirs nothing is taken off
  CHECK(share_s(40, 400, 10, 1) == 4);
}

TEST_CASE("of a run that is stopped what was measured is kept, and nothing else", "[measure]") {
  const Plan plan = plan_of(an_experiment, 3);
  bool is_stopped = false;
  int turns_of_second = 0;
  RunOptions options;
  options.budget_s = 0;
  options.is_stopped = [&] { return is_stopped; };
  options.progress = [&](const Progress& progress) {
    if (progress.workload == "1" && ++turns_of_second == 4) is_stopped = true;
  };
  const Result result = run(std::span(&plan, 1), Scale{}, options);
  CHECK_FALSE(result.is_complete);
  REQUIRE(result.rows.size() == 4);
  CHECK(result.rows[0].samples.size() == 6);
  CHECK(result.rows[1].samples.size() == 6);
  CHECK(result.rows[2].workload == "1");
  CHECK(result.rows[2].samples == std::vector<double>{101, 102});
  CHECK(result.rows[3].samples == std::vector<double>{101, 102});
  CHECK_FALSE(has_children());
}

TEST_CASE("a run says how noisy the machine is and in which order turns were", "[measure]") {
  const Plan plan = plan_of(an_experiment, 1);
  RunOptions options;
  options.seed = 14;
  std::vector<double> done;
  options.progress = [&](const Progress& progress) { done.push_back(progress.done); };
  const Result result = run(std::span(&plan, 1), Scale{}, options);
  CHECK(result.is_complete);
  CHECK(result.noise_ns.size() == 100);
  CHECK(result.context.at("cow_bench").at("order_seed") == 14);
  REQUIRE_FALSE(done.empty());
  CHECK(std::is_sorted(done.begin(), done.end()));
  CHECK(done.back() <= 1);
}

TEST_CASE("what does not fit into memory is skipped, with the reason", "[measure]") {
  Plan plan = plan_of(an_experiment, 1);
  plan.comparisons[0].memory_bytes = std::size_t{1} << 50U;
  const Result result = run(std::span(&plan, 1), Scale{}, {});
  REQUIRE(result.rows.size() == 2);
  for (const Row& row : result.rows) {
    CHECK(row.status == Status::skipped);
    CHECK(row.reason.starts_with("too little memory: each of 2 sides needs 1048576.0 GiB, and "));
  }
}

TEST_CASE("an answer is read as it was written, and nothing else passes for one", "[measure]") {
  const Answer answer{Answer::Kind::turn, {{1.5, 2}, {{"copy", {0.25}}}, {{"faults", 3}}}, "why"};
  const std::string message = to_message(answer);
  const Answer read = from_message(message);
  CHECK(read.kind == answer.kind);
  CHECK(read.result.samples == answer.result.samples);
  CHECK(read.result.parts.at(0).values == std::vector<double>{0.25});
  CHECK(read.result.counts == answer.result.counts);
  CHECK(read.sentence == "why");
  for (std::size_t bytes = 0; bytes < message.size(); ++bytes) {
    CHECK_THROWS_AS(from_message(message.substr(0, bytes)), std::runtime_error);
  }
  std::string other_kind = message;
  other_kind[1] = '\x17';
  CHECK_THROWS_AS(from_message(other_kind), std::runtime_error);
}
