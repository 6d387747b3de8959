#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "measure/figures/check.hpp"
#include "measure/figures/result_json.hpp"

namespace {

using namespace cow::measure;
using Names = std::vector<std::string>;

std::vector<double> times(std::mt19937_64& random, std::size_t count, double around,
                          double noise = 0.05) {
  std::lognormal_distribution<double> factor(0, noise);
  std::vector<double> values(count);
  for (double& value : values) value = around * factor(random);
  return values;
}

Row row(const std::string& workload, std::vector<double> samples) {
  Row row;
  row.experiment = "clone";
  row.workload = workload;
  row.mechanism = "handler";
  row.samples = std::move(samples);
  return row;
}

/// A run of `rows` rows, each of another size; the first `slower` take `factor` times as long.
Result run(std::mt19937_64& random, std::size_t rows, std::size_t samples, std::size_t slower = 0,
           double factor = 1, double noise = 0.05) {
  Result result;
  result.program = "cow bench";
  for (std::size_t i = 0; i < rows; ++i) {
    const double around = 1000.0 * static_cast<double>(i + 1) * (i < slower ? factor : 1);
    result.rows.push_back(row(std::to_string(i), times(random, samples, around, noise)));
  }
  return result;
}

std::size_t alarms(const Check& check) {
  return static_cast<std::size_t>(std::ranges::count_if(
      check.changes, [](const Change& change) { return change.is_slower || change.is_faster; }));
}

Result with_environment(const nlohmann::ordered_json& environment) {
  Result result;
  result.context["cow_bench"]["environment"] = environment;
  return result;
}

}  // namespace

TEST_CASE("A result beside itself has no change", "[measure]") {
  std::mt19937_64 random(1);
  const Result result = run(random, 30, 12);
  const Check same = check(result, result);
  REQUIRE(same.changes.size() == 30);
  CHECK(alarms(same) == 0);
  CHECK_FALSE(same.is_anything_slower());
  CHECK(same.missing.empty());
  CHECK(same.added.empty());
  CHECK(same.notes.empty());
  CHECK(same.environment_differences.empty());
  CHECK(same.least_change == 0.05);
  CHECK(same.changes[3].name == "clone/3/handler");
  CHECK(same.changes[3].before == same.changes[3].after);
  CHECK(same.changes[3].unit == "ns");
}

TEST_CASE("Equal runs of many rows give next to no false alarms", "[measure]") {
  std::mt19937_64 random(2);
  for (const double noise : {0.02, 0.3}) {
    int runs_with_alarms = 0;
    int alone = 0;
    for (int i = 0; i < 30; ++i) {
      const Check equal = check(run(random, 40, 12, 0, 1, noise), run(random, 40, 12, 0, 1, noise));
      runs_with_alarms += alarms(equal) > 0 ? 1 : 0;
      for (const Change& change : equal.changes) {
        alone += change.against.difference == Difference::none ? 0 : 1;
      }
    }
    CAPTURE(noise, alone);
    CHECK(runs_with_alarms <= 5);  // 1.5 of 30 are to be expected at most
    CHECK(alone > 20);             // a row by itself: once in twenty to forty times
  }
}

TEST_CASE("What became slower is found among many rows that did not", "[measure]") {
  std::mt19937_64 random(3);
  for (const std::size_t slower : {1U, 5U, 60U}) {
    const Result before = run(random, 60, 20);
    const Check found = check(before, run(random, 60, 20, slower, 1.3));
    CHECK(found.is_anything_slower());
    std::size_t false_alarms = 0;
    for (std::size_t i = 0; i < found.changes.size(); ++i) {
      CAPTURE(found.changes[i].name);
      if (i < slower) CHECK(found.changes[i].is_slower);
      CHECK_FALSE(found.changes[i].is_faster);
      false_alarms += i >= slower && found.changes[i].is_slower ? 1 : 0;
    }
    CHECK(false_alarms <= 1);
    const Check back = check(run(random, 60, 20, slower, 1.3), before);
    CHECK(back.changes.front().is_faster);
    CHECK_FALSE(back.is_anything_slower());
  }
}

TEST_CASE("A change that is too small to matter is none", "[measure]") {
  std::mt19937_64 random(4);
  const Check small = check(run(random, 5, 500, 0, 1, 0.01), run(random, 5, 500, 5, 1.03, 0.01));
  for (const Change& change : small.changes) {
    CHECK(change.against.difference == Difference::more);
    CHECK_FALSE(change.is_slower);
  }
  const Check larger = check(run(random, 5, 500, 0, 1, 0.01), run(random, 5, 500, 5, 1.08, 0.01));
  for (const Change& change : larger.changes) CHECK(change.is_slower);
}

TEST_CASE("Where plain work is not steady more has to change", "[measure]") {
  std::mt19937_64 random(5);
  Result before = run(random, 5, 100, 0, 1, 0.01);
  Result now = run(random, 5, 100, 5, 1.2, 0.01);
  CHECK(check(before, now).is_anything_slower());
  now.noise_ns = {70, 80, 90, 100, 110, 120, 130};
  const Check noisy = check(before, now);
  CHECK(noisy.least_change > 0.2);
  CHECK_FALSE(noisy.is_anything_slower());
  before.noise_ns = {1000, 1000};
  CHECK(check(before, now).environment_differences ==
        Names{"the same plain work: 1000 ns in the baseline, 100 ns now"});
}

TEST_CASE("A check says what it cannot see, and from where on it is none", "[measure]") {
  std::mt19937_64 random(7);
  const Result quiet = run(random, 3, 12);
  Result noisy = quiet;
  CHECK(check(quiet, quiet).limit_words() == "changes below 5 % are not seen");
  CHECK_FALSE(check(quiet, quiet).is_too_noisy());
  noisy.noise_ns = {94, 94, 100, 100, 100, 106, 106};  // 12 % between the 10th and the 90th
  CHECK(check(quiet, noisy).limit_words() == "changes below 12 % are not seen");
  CHECK_FALSE(check(quiet, noisy).is_too_noisy());
  noisy.noise_ns = {85, 85, 100, 100, 100, 115, 115};
  for (const Check& one : {check(quiet, noisy), check(noisy, quiet)}) {
    CHECK(one.is_too_noisy());
    CHECK(one.limit_words().starts_with("changes below 30 % are not seen: "));
    CHECK(one.limit_words().find("too noisy to check") != std::string::npos);
  }
}

TEST_CASE("What root may count and a user may not is no other row, and neither is a path",
          "[measure]") {
  std::mt19937_64 random(8);
  Result root = run(random, 1, 12);
  root.rows[0].parameters = {{"bytes", 4096}, {"file", "/usr/lib/a"}};
  Result user = root;
  user.rows[0].parameters["file"] = "/usr/lib64/a";
  user.rows[0].counters_absent = {{"TLB flushes", "kernel.perf_event_paranoid is 3."}};
  // As an earlier version wrote it.
  user.rows[0].parameters["counters_absent"] = {{"page faults", "kernel.perf_event_paranoid"}};
  for (const Check& one : {check(root, user), check(user, root)}) {
    CHECK(one.changes.size() == 1);
    CHECK(one.missing.empty());
    CHECK(one.notes.empty());
  }
  user.rows[0].parameters["bytes"] = 8192;
  CHECK(check(root, user).changes.empty());
}

TEST_CASE("A quantity that grew is worse, and is judged as times are", "[measure]") {
  const auto frames = [](double count, std::size_t samples = 10) {
    Result result;
    result.rows = {row("memory", std::vector<double>(samples, count))};
    result.rows[0].unit = "frames";
    return result;
  };
  CHECK(check(frames(100), frames(200)).changes.at(0).is_slower);
  CHECK(check(frames(200), frames(100)).changes.at(0).is_faster);
  CHECK(check(frames(0), frames(10)).changes.at(0).is_slower);
  const Check few = check(frames(100, 1), frames(200, 1));
  CHECK_FALSE(few.is_anything_slower());
  CHECK(few.notes ==
        Names{"clone/memory/handler: too few to tell apart: 1 sample before, 1 sample now"});
}

TEST_CASE("What is missing, added, skipped or another row is named", "[measure]") {
  std::mt19937_64 random(6);
  Result before = run(random, 6, 10);
  Result now = before;
  now.rows.erase(now.rows.begin());
  now.rows[0].status = Status::skipped;  // the row 1
  now.rows[0].reason = "The memory is too little.";
  now.rows[1].parameters["bytes"] = 4096;
  now.rows[2].unit = "bytes";
  now.rows.push_back(row("new", {1, 2, 3}));
  before.rows[4].status = Status::skipped;
  const Check changed = check(before, now);
  CHECK(changed.changes.size() == 1);
  CHECK(changed.missing ==
        Names{"clone/1/handler", "clone/2/handler", "clone/3/handler", "clone/0/handler"});
  CHECK(changed.added == Names{"clone/4/handler", "clone/new/handler"});
  CHECK(changed.notes == Names{"clone/1/handler: skipped now: The memory is too little.",
                               "clone/2/handler: its parameters are others now",
                               "clone/3/handler: its unit was ns and is bytes"});
  now.rows.push_back(now.rows.back());
  CHECK(check(before, now).notes.front() ==
        "clone/new/handler: the result has it twice, and the first is compared");
}

TEST_CASE("Environments that differ are said to, wherever it is", "[measure]") {
  const Result before = with_environment({{"kernel", "6.8"},
                                          {"load", {0.1, 0.2}},
                                          {"available_bytes", 5},
                                          {"huge_pages", {{"shmem", "never"}, {"bytes", 2097152}}},
                                          {"gone", true}});
  const Result now = with_environment({{"kernel", "6.9"},
                                       {"load", {7.5}},
                                       {"available_bytes", 7},
                                       {"huge_pages", {{"shmem", "advise"}, {"bytes", 2097152}}},
                                       {"new", 1}});
  CHECK(check(before, now).environment_differences ==
        Names{"kernel: 6.8 in the baseline, 6.9 now",
              "huge_pages.shmem: never in the baseline, advise now",
              "gone: true in the baseline, not said now", "new: not said in the baseline, 1 now"});
  CHECK(check(now, now).environment_differences.empty());
}

TEST_CASE("Another host, build or scale is another environment, but no other date or commit",
          "[measure]") {
  Result before;
  before.program = "cow bench";
  before.context = {{"date", "2026-11-29"},
                    {"load_avg", {0.5}},
                    {"mhz_per_cpu", 3000},
                    {"num_cpus", 2},
                    {"library_build_type", "release"},
                    {"cow_bench", {{"libcow", {{"commit", "4f1c"}}}}}};
  Result now = before;
  now.context["date"] = "2026-11-30";
  now.context["load_avg"] = {3.5};
  now.context["mhz_per_cpu"] = 2900;
  now.context["cow_bench"]["libcow"]["commit"] = "9abc";
  CHECK(check(before, now).environment_differences.empty());
  now.context["num_cpus"] = 4;
  now.context["library_build_type"] = "debug";
  now.program = "targets";
  now.is_quick = true;
  now.is_full = true;
  CHECK(check(before, now).environment_differences ==
        Names{"num_cpus: 2 in the baseline, 4 now",
              "library_build_type: release in the baseline, debug now",
              "program: cow bench in the baseline, targets now",
              "--full: no in the baseline, yes now",
              "COW_BENCH_QUICK: no in the baseline, yes now"});
}
