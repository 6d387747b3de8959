// The sentences of `cow report`: made of what was measured, and only where it is seen to differ.

#include <algorithm>
#include <string>

#include "catch.hpp"
#include "made_results.hpp"
#include "tool/report/advice.hpp"
#include "tool/report/result_changes.hpp"
#include "tool/report/result_tables.hpp"
#include "tool/report/result_text.hpp"
#include "tool/tool_error.hpp"

using namespace cow::tool;
using support::MadeResult;

namespace {

MadeResult rounds_with(double kernel_ns, double handler_ns, double fork_ns) {
  MadeResult made;
  for (const int stores : {10, 100}) {
    const std::string workload = std::to_string(stores) + " pages of 64 MiB";
    const MadeResult::Json parameters = {{"bytes", 64 << 20}, {"stores", stores}};
    made.add("rounds", workload, "kernel", kernel_ns, parameters, "fork");
    made.add("rounds", workload, "handler", handler_ns, parameters, "fork");
    made.add("rounds", workload, "fork", fork_ns, parameters);
  }
  return made;
}

/// The rows that were skipped of the kernel, measured with this median.
void set_kernel(MadeResult& made, double median) {
  for (cow::measure::Row& row : made.result().rows) {
    if (row.mechanism != "kernel" || row.experiment != "share") continue;
    row.status = cow::measure::Status::measured;
    row.reason.clear();
    row.samples = support::samples_around(median);
  }
}

bool has(const std::vector<std::string>& sentences, const std::string& words) {
  return std::any_of(sentences.begin(), sentences.end(), [&](const std::string& sentence) {
    return sentence.find(words) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("advice: what takes least is to be taken, with its ratio", "[tool]") {
  const std::vector<std::string> advice = detailed_advice(rounds_with(1e5, 2e5, 2e6).file());
  REQUIRE(advice.size() == 1);
  CHECK(advice[0] ==
        "For snapshots with stores to 10 to 100 pages between them (64 MiB), take libcow, kernel: "
        "0.05 of fork().");
}

TEST_CASE("advice: no difference is seen between what is not apart", "[tool]") {
  const std::vector<std::string> advice = detailed_advice(rounds_with(1e5, 1.0001e5, 2e6).file());
  REQUIRE(advice.size() == 1);
  CHECK(has(advice, "no difference seen between libcow, handler and libcow, kernel; the least "
                    "takes 0.05 of fork()."));
}

TEST_CASE("advice: the others may be the better ones", "[tool]") {
  const std::vector<std::string> advice = detailed_advice(rounds_with(4e6, 8e6, 2e6).file());
  REQUIRE(advice.size() == 1);
  CHECK(has(advice, "take fork(): 0.50 of libcow, kernel, the next best."));
}

TEST_CASE("advice: nothing is said of rows that were skipped, nor of one mechanism alone",
          "[tool]") {
  MadeResult made;
  made.skip("rounds", "10 pages", "kernel", {{"stores", 10}});
  made.add("rounds", "10 pages", "fork", 1e6, {{"stores", 10}});
  CHECK(advice_of(made.file()).general.empty());
  CHECK(advice_of(made.file()).detailed.empty());
}

TEST_CASE("advice: a tracker's protection alone is no clone", "[tool]") {
  MadeResult made;
  for (const char* mechanism : {"mprotect", "handler", "eager"}) {
    const double ns = mechanism[0] == 'm' ? 1e3 : mechanism[0] == 'h' ? 1e4 : 1e6;
    made.add("clone", "1 MiB", mechanism, ns, {{"bytes", 1 << 20}});
  }
  CHECK(detailed_advice(made.file()) ==
        std::vector<std::string>{
            "For a clone or snapshot of 1 MiB and no store, take libcow, handler: 0.01 of eager "
            "copy, the next best."});
}

TEST_CASE("advice: too few samples are said to be too few, not to show no difference", "[tool]") {
  MadeResult made = rounds_with(1e5, 2e5, 2e6);
  for (cow::measure::Row& row : made.result().rows) row.samples.resize(2);
  CHECK(general_advice(made.file()).empty());
  CHECK(detailed_advice(made.file()) ==
        std::vector<std::string>{
            "For snapshots with stores to 10 to 100 pages between them (64 MiB), too few samples "
            "to tell apart."});
  CHECK(likeness_to_against(made.file().rows.front()) == Likeness::too_few);
}

TEST_CASE("advice: where a lazy clone stops to be cheaper than a copy", "[tool]") {
  const std::vector<std::string> advice =
      detailed_advice(support::shares_that_cross_at_a_tenth().file());
  REQUIRE(advice.size() == 1);
  CHECK(advice[0] ==
        "Below a share of the pages written between 3 % and 50 %, about 10 % (random, 64 MiB), "
        "libcow, handler is cheaper than eager copy (a memcpy into memory that is kept and warm); "
        "above it is dearer.");
  CHECK(general_advice(support::shares_that_cross_at_a_tenth().file()) ==
        std::vector<std::string>{
            "For stores after a clone, libcow, handler is cheaper than eager copy (a memcpy into "
            "memory that is kept and warm) up to a share of the pages between 3 % and 50 % (about "
            "10 %), and dearer above it; libcow, kernel was not measured."});
}

TEST_CASE("advice: a mechanism that is cheaper at every share is not passed over", "[tool]") {
  MadeResult made = support::shares_that_cross_at_a_tenth();
  set_kernel(made, 4e6);
  CHECK(general_advice(made.file()) ==
        std::vector<std::string>{
            "For stores after a clone, libcow, kernel is cheaper than eager copy (a memcpy into "
            "memory that is kept and warm) at every share measured, 0.1 % to 100 %."});
  set_kernel(made, 20e6);
  CHECK(has(general_advice(made.file()), "libcow, kernel is dearer than eager copy"));
}

TEST_CASE("advice: a mechanism with too few samples is passed over, and that is said", "[tool]") {
  MadeResult made = support::shares_that_cross_at_a_tenth();
  set_kernel(made, 4e6);
  for (cow::measure::Row& row : made.result().rows) {
    if (row.mechanism == "kernel") row.samples.resize(1);
  }
  const std::vector<std::string> advice = general_advice(made.file());
  REQUIRE(advice.size() == 1);
  CHECK(has(advice, "libcow, handler is cheaper than eager copy"));
  CHECK(has(advice, "; libcow, kernel has too few samples to tell."));
}

TEST_CASE("advice: patterns without a crossover are said beside those with one", "[tool]") {
  MadeResult made = support::shares_that_cross_at_a_tenth();
  set_kernel(made, 4e6);
  for (const double share : {0.01, 0.1, 1.0}) {
    const std::string workload = std::to_string(share) + " of 64 MiB, sequential";
    const MadeResult::Json parameters = {
        {"bytes", std::size_t{64} << 20}, {"share", share}, {"pattern", "sequential"}};
    made.add("share", workload, "kernel", 20e6 * share, parameters, "eager");
    made.add("share", workload, "eager", 8e6, parameters);
  }
  CHECK(has(general_advice(made.file()),
            "up to a share of the pages between 10 % and 100 % (about 40 %), and dearer above it; "
            "with other patterns of stores it is cheaper than eager copy (a memcpy into memory "
            "that is kept and warm) at every share measured, 0.1 % to 100 %."));
}

TEST_CASE("advice: what of a recorded program is not replayed is said with the answer", "[tool]") {
  MadeResult made;
  MadeResult::Json parameters = {{"pages_copied", 4000},
                                 {"pages_copied_along", 3000},
                                 {"unseen_families", 1},
                                 {"unseen_pages", 500}};
  made.add("trace", "program: 2 rounds", "handler", 1e6, parameters);
  made.add("trace", "program: 2 rounds", "kernel", 2e6, parameters, "handler");
  const std::string caveat =
      "; but 3,000 of 4,000 copied pages had no fault of their own, and the kernel copied 500 "
      "pages for 1 family of regions, which are not replayed.";
  CHECK(has(general_advice(made.file()), caveat));
  CHECK(has(detailed_advice(made.file()), caveat));
  for (cow::measure::Row& row : made.result().rows) row.parameters.clear();
  CHECK_FALSE(has(general_advice(made.file()), "; but"));
}

TEST_CASE("advice: a lazy clone that is cheaper everywhere", "[tool]") {
  MadeResult made;
  for (const double share : {0.01, 0.1}) {
    made.add("share", std::to_string(share), "handler", 1e6 * share, {{"share", share}}, "eager");
    made.add("share", std::to_string(share), "eager", 1e6, {{"share", share}});
  }
  CHECK(has(detailed_advice(made.file()),
            "libcow, handler is cheaper than eager copy (a memcpy into memory that is kept and "
            "warm) at every share measured, 1 % to 10 %."));
}

TEST_CASE("advice: few sentences stand on top, of all workloads of a kind", "[tool]") {
  MadeResult made = rounds_with(1e5, 2e5, 2e6);
  for (const char* mechanism : {"handler", "kernel"}) {
    cow::measure::Row& row = made.add("faults", "first stores", mechanism, 1e3, {});
    row.samples.clear();
    for (int i = 0; i < 1000; ++i) row.samples.push_back(1000 + i);
    row.counts = {{"page faults", mechanism[0] == 'h' ? 0.1 : 1.0}};
  }
  const std::vector<std::string> advice = general_advice(made.file());
  REQUIRE(advice.size() == 2);
  CHECK(advice[0] ==
        "For rounds of a snapshot and stores, take libcow, kernel: nothing is seen to take less in "
        "2 of 2 workloads, at 0.05 of fork().");
  CHECK(has(advice,
            "A single store (first stores) takes at the median: libcow, handler 1.5 us, "
            "p99 1.99 us (10 % of the stores faulted); libcow, kernel 1.5 us, p99 1.99 us."));
}

TEST_CASE("advice: trackers are compared, never taken", "[tool]") {
  MadeResult made = rounds_with(1e5, 2e5, 2e6);
  for (const int stores : {10, 100}) {
    made.add("rounds", std::to_string(stores) + " pages of 64 MiB", "uffd-signal", 1e4,
             {{"bytes", 64 << 20}, {"stores", stores}}, "fork");
  }
  const std::vector<std::string> advice = detailed_advice(made.file());
  REQUIRE(advice.size() == 1);
  CHECK(has(advice, "take libcow, kernel: 0.05 of fork(); for comparison, userfaultfd, signal, a "
                    "tracker that one has to write oneself, takes still less."));
  CHECK_FALSE(has(general_advice(made.file()), "userfaultfd"));
}

TEST_CASE("advice: what does no work in the sample is not taken for it", "[tool]") {
  MadeResult made;
  for (const char* mechanism : {"eager", "kernel", "processes"}) {
    const double ns = mechanism[0] == 'e' ? 10 : mechanism[0] == 'k' ? 1e3 : 2e3;
    made.add("threads", "1 at once", mechanism, ns, {{"threads", 1}, {"processes", 1}},
             mechanism[0] == 'p' ? "" : "processes");
  }
  CHECK(detailed_advice(made.file()) ==
        std::vector<std::string>{"For first stores from 1 thread or process, take libcow, kernel: "
                                 "0.50 of fork(), all store."});
  MadeResult clones;
  for (const char* mechanism : {"private", "kernel", "eager"}) {
    const double ns = mechanism[0] == 'p' ? 10 : mechanism[0] == 'k' ? 1e3 : 1e6;
    clones.add("clone", "1 MiB", mechanism, ns, {{"bytes", 1 << 20}});
  }
  CHECK(has(detailed_advice(clones.file()), "take libcow, kernel"));
}

TEST_CASE("report: warnings of one kind are one line", "[tool]") {
  MadeResult made = rounds_with(1e5, 2e5, 2e6);
  std::vector<cow::measure::Row>& rows = made.result().rows;
  rows[0].warnings = {"uncertain: the interval is 27 % of the median"};
  rows[1].warnings = {"uncertain: the interval is 1890 % of the median"};
  rows[2].warnings = {"uncertain: the interval is 49 % of the median"};
  rows[3].warnings = {"another"};
  CHECK(notes_of(made.file()) ==
        std::vector<std::string>{
            "3 rows are uncertain: their intervals are 27 to 1,890 % of the median",
            "1 row with a warning: another"});
}

TEST_CASE("report: a run stopped half-way is said once", "[tool]") {
  MadeResult made = rounds_with(1e5, 2e5, 2e6);
  made.result().is_complete = false;
  made.result().warnings = {"stopped half-way: only what was measured by then is here"};
  CHECK(notes_of(made.file()).size() == 1);
}

TEST_CASE("report: parts and counts stand in Markdown, and no column is empty", "[tool]") {
  MadeResult made;
  cow::measure::Row& row = made.add("anatomy", "alone", "handler", 3e3, {});
  row.parts = {{"delivery", {1e3, 1e3}}, {"copy", {2e3, 2e3}}};
  row.counts = {{"TLB flushes", 1}, {"minor faults, getrusage", 0}, {"clock ns", 20}};
  cow::measure::Row& store = made.add("faults", "in order", "handler", 20, {});
  store.counts = {{"page faults", 0.09375}, {"minor faults", 0}};
  const std::vector<ResultFile> files = {made.file()};
  const std::string text = markdown_of(files);
  for (const char* words :
       {"| alone: parts of a sample, medians | libcow, handler |", "| delivery | 1 \u00b5s |",
        "| TLB flushes | 1 |", "9.38 % of the stores faulted"}) {
    CAPTURE(words);
    CHECK(text.find(words) != std::string::npos);
  }
  CHECK(text.find("clock ns") == std::string::npos);
  CHECK(text.find("reach") == std::string::npos);
}

TEST_CASE("report: notes say what was skipped and why, and that a run was stopped", "[tool]") {
  MadeResult made = support::shares_that_cross_at_a_tenth();
  made.result().is_complete = false;
  made.result().warnings = {"The load was 3.2."};
  const std::vector<std::string> notes = notes_of(made.file());
  CHECK(has(notes, "stopped half-way"));
  CHECK(has(notes, "The load was 3.2."));
  CHECK(has(notes, "5 rows skipped of libcow, kernel: This kernel is too old."));
}

TEST_CASE("report: environments that differ are said of two results", "[tool]") {
  MadeResult here = rounds_with(1e5, 2e5, 2e6);
  MadeResult there = here;
  here.result().context["cow_bench"] = {{"environment", {{"processor", "one"}}}};
  there.result().context["cow_bench"] = {{"environment", {{"processor", "another"}}}};
  std::vector<ResultFile> files = {here.file("a.json"), there.file("b.json")};
  set_labels(files);
  CHECK(has(compare_results(files).notes, "processor"));
  std::vector<ResultFile> same = {here.file("a.json"), here.file("b.json")};
  CHECK_FALSE(has(compare_results(same).notes, "processor"));
}

TEST_CASE("report: a result without a measured row is refused", "[tool]") {
  MadeResult made;
  made.skip("rounds", "10 pages", "kernel", {});
  CHECK_THROWS_AS(made.file(), ToolError);
  CHECK_THROWS_AS(MadeResult().file(), ToolError);
}

TEST_CASE("report: the machine is said as people call it, and the date to the minute", "[tool]") {
  MadeResult made = rounds_with(1e5, 2e5, 2e6);
  made.result().context["cow_bench"] = {
      {"environment", {{"virtual", {{"machine", true}, {"hypervisor", "KVMKVMKVM"}}}}}};
  const std::string line = environment_line(made.file());
  CHECK(line.find("a virtual machine (KVM)") != std::string::npos);
  CHECK(line.find("2026-11-29 15:00 UTC") != std::string::npos);
}

TEST_CASE("report: figures and ratios are written with the digits that mean something", "[tool]") {
  CHECK(figure_words(842, "ns") == "842 ns");
  CHECK(figure_words(12'345, "ns") == "12.3 us");
  CHECK(figure_words(4.1e6, "ns") == "4.1 ms");
  CHECK(figure_words(1.95e9, "ns") == "1.95 s");
  CHECK(figure_words(0.25, "ns") == "0.25 ns");
  CHECK(figure_words(64 << 20, "bytes") == "64 MiB");
  CHECK(figure_words(131'036, "frames") == "131,036 frames");
  CHECK(ratio_words(1.0 / 333) == "1/333");
  CHECK(ratio_words(0.05) == "0.05");
  CHECK(ratio_words(0.0443) == "0.044");
  CHECK(ratio_words(27.69) == "27.7");
}

TEST_CASE("report: a name cannot end a cell of Markdown", "[tool]") {
  MadeResult made;
  made.add("rounds", "a | b <script>", "kernel", 1e5, {{"stores", 10}});
  const std::string text = markdown_tables(made.file(), "rounds");
  CHECK(text.find("a \\| b \\<script>") != std::string::npos);
}
