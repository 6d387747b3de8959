// The sentences of bench/textbook_bench.cpp say what the values say, also when those contradict the
// textbook.
#include "../bench/crossover.hpp"
#include "../bench/guessing.hpp"
#include "../bench/textbook_values.hpp"

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"

namespace {

using cow_bench::Reading;
using cow_bench::Verdict;
using cow_bench::Ways;

bool says(const Reading& reading, const std::string& words) {
  INFO(reading.text);
  return reading.text.find(words) != std::string::npos;
}

bool is(const Reading& reading, Verdict verdict) {
  const char* const begins = verdict == Verdict::holds     ? "It holds: "
                             : verdict == Verdict::in_part ? "It holds in part: "
                                                           : "It does not hold here: ";
  return reading.verdict == verdict && reading.text.starts_with(begins) &&
         reading.text.ends_with(".");
}

}  // namespace

TEST_CASE("two ways meet where a line through what was measured says so", "[lecture]") {
  using cow_bench::crossover;
  CHECK(crossover({}) == std::nullopt);
  CHECK(crossover({{0.1, 0.5}, {1, 1}}) == std::nullopt);
  CHECK(crossover({{0.1, 1.5}, {1, 2}}) == 0);
  CHECK(std::abs(crossover({{0.1, 0.5}, {0.3, 1.5}, {1, 0.5}}).value_or(0) - 0.2) < 1e-9);
}

TEST_CASE("times tell two cases apart as well as they do, and no better", "[lecture]") {
  const std::vector<bool> cases = {true, false, true, false, true, false, true, false};
  const auto apart = cow_bench::guess({9, 1, 9, 1, 9, 1, 9, 1}, cases);
  CHECK(apart.right == 1);
  CHECK(apart.slower_ns == 9);
  CHECK(apart.faster_ns == 1);
  // What should take longer takes less: the first half shows that, too.
  CHECK(cow_bench::guess({1, 9, 1, 9, 1, 9, 1, 9}, cases).right == 1);
  CHECK(cow_bench::guess({5, 5, 5, 5, 5, 5, 5, 5}, cases).right == 0.5);
  // The second half is the other way round.
  CHECK(cow_bench::guess({9, 1, 9, 1, 1, 9, 1, 9}, cases).right == 0);
}

TEST_CASE("less memory: where copies take no more, the sentence says from which share on",
          "[lecture]") {
  const Ways little{.handler = 64, .kernel = 64, .fork = 64, .copy = 256};
  const Ways much{.handler = 300, .kernel = 256, .fork = 256, .copy = 256};
  const Reading part =
      cow_bench::read_memory(4, {{"nothing", 64, little}, {"1 %", 70, little}, {"all", 256, much}});
  CHECK(is(part, Verdict::in_part));
  CHECK(says(part, "0.25 (handler) and 0.25 (kernel)"));
  CHECK(says(part, "The handler takes as much as copies or more from \"all\" on (1.17 times)"));
  CHECK(is(cow_bench::read_memory(4, {{"nothing", 64, little}}), Verdict::holds));
  CHECK(is(cow_bench::read_memory(4, {{"nothing", 64, much}}), Verdict::fails));
  const Ways kernel_wastes{.handler = 64, .kernel = 300, .fork = 64, .copy = 256};
  const Reading wasted = cow_bench::read_memory(4, {{"nothing", 64, kernel_wastes}});
  CHECK(is(wasted, Verdict::fails));
  CHECK(says(wasted, "The kernel mechanism takes as much as copies or more from \"nothing\" on"));
  const Ways alone{.handler = 64, .fork = 64, .copy = 256};
  const Reading without = cow_bench::read_memory(4, {{"nothing", 64, alone}});
  CHECK(is(without, Verdict::holds));
  CHECK_FALSE(says(without, "kernel"));
}

TEST_CASE("faster creation: what is not faster is named", "[lecture]") {
  const Ways fast{.handler = 10, .kernel = 20, .fork = 1000, .copy = 10000};
  const Ways slow{.handler = 20000, .kernel = 20, .fork = 1000, .copy = 10000};
  const cow_bench::CreationRow small{.size = "1 MiB", .later = fast};
  const cow_bench::CreationRow large{
      .size = "8 MiB", .handler_first = 100, .kernel_first = 200, .later = fast};
  const cow_bench::CreationRow bad{.size = "9 MiB", .later = slow};
  const Reading all = cow_bench::read_creation({small, large}, large);
  CHECK(is(all, Verdict::holds));
  CHECK(says(all, "8 MiB once more takes 1/1000 (handler) and 1/500 (kernel)"));
  CHECK(says(all, "first clone takes 1/100 (handler) and 1/50 (kernel)"));
  const Reading rewritten = cow_bench::read_creation({small, large}, bad);
  CHECK(is(rewritten, Verdict::in_part));
  CHECK(says(rewritten, "Where all of 9 MiB was stored to since, a clone takes 2.00 (handler)"));
  CHECK(says(rewritten, "That is not always the fastest way."));
  cow_bench::CreationRow slow_first = large;
  slow_first.handler_first = 1500;
  CHECK(is(cow_bench::read_creation({small, slow_first}, large), Verdict::in_part));
  const Reading one = cow_bench::read_creation({bad, large}, large);
  CHECK(is(one, Verdict::in_part));
  CHECK(says(one, "For 9 MiB it is not the fastest way."));
  CHECK(is(cow_bench::read_creation({small, bad}, large), Verdict::fails));
}

TEST_CASE("lazy allocation: frames of loads, and of creation, are not passed over", "[lecture]") {
  cow_bench::LazyValues values{.size = 1000,
                               .page = 1,
                               .touched = 10,
                               .handler = {.stored = 10},
                               .kernel = cow_bench::LazySteps{.stored = 10},
                               .mapped = {.stored = 10},
                               .filled = 1000};
  CHECK(is(cow_bench::read_lazy(values), Verdict::holds));
  CHECK(says(cow_bench::read_lazy(values), "loads are free"));
  values.kernel->loaded = 7;
  CHECK(is(cow_bench::read_lazy(values), Verdict::in_part));
  CHECK(says(cow_bench::read_lazy(values), "far from them take 0 (handler) and 7 (kernel)"));
  values.kernel.reset();
  CHECK(is(cow_bench::read_lazy(values), Verdict::holds));
  values.handler.created = 1000;
  CHECK(is(cow_bench::read_lazy(values), Verdict::fails));
  values.handler = {.stored = 500};
  CHECK(is(cow_bench::read_lazy(values), Verdict::fails));
}

TEST_CASE("fewer copies: copies for nothing, and rows that save nothing, are counted",
          "[lecture]") {
  const cow_bench::CopiesRow saves{.stores = "few",
                                   .stored = 5,
                                   .copied = {.handler = 5, .kernel = 5, .fork = 5, .copy = 100},
                                   .one_by_one = 5};
  const cow_bench::CopiesRow wastes{
      .stores = "many",
      .stored = 60,
      .copied = {.handler = 100, .kernel = 60, .fork = 60, .copy = 100},
      .one_by_one = 60};
  CHECK(is(cow_bench::read_copies({saves}), Verdict::holds));
  CHECK(says(cow_bench::read_copies({saves}), "copies no page for nothing"));
  const Reading part = cow_bench::read_copies({saves, wastes});
  CHECK(is(part, Verdict::in_part));
  CHECK(says(part, "up to 40 pages for nothing (\"many\")"));
  CHECK(says(part, "In 1 of 2 rows nothing is saved."));
  CHECK(says(part, "exactly the pages stored to"));
  CHECK(is(cow_bench::read_copies({wastes}), Verdict::fails));
  cow_bench::CopiesRow more = saves;
  more.copied.kernel = 6;
  CHECK(says(cow_bench::read_copies({more}), "Not exactly the pages stored to"));
}

TEST_CASE("fault overhead: a first store that is not dearer is not called so", "[lecture]") {
  cow_bench::OverheadValues values{
      .first = {.handler = 9000, .kernel = 2000, .fork = 2000, .copy = 2},
      .again = {.handler = 3, .kernel = 3, .fork = 3, .copy = 2},
      .parts_ns = {{"map", 75}, {"copy", 25}},
      .meetings = {{"in order", {{0.1, 0.5}, {1, 0.9}}, {{0.1, 0.5}, {0.3, 1.5}}}}};
  const Reading dear = cow_bench::read_overhead(values);
  CHECK(is(dear, Verdict::holds));
  CHECK(says(dear, "4500 (handler) and 1000 (kernel) times"));
  CHECK(says(dear, "25 % is the copy"));
  CHECK(says(dear, "at no share (handler) and from about 20 % on (kernel) of the pages"));
  values.first.kernel = 3;
  CHECK(is(cow_bench::read_overhead(values), Verdict::in_part));
  values.first.handler = 3;
  CHECK(is(cow_bench::read_overhead(values), Verdict::fails));
}

TEST_CASE("fragmentation: whether there is any, and under which mechanism", "[lecture]") {
  using Row = cow_bench::FragmentsRow;
  const Ways one{.handler = 1, .kernel = 1, .fork = 1, .copy = 1};
  const Row before{.stores = "nothing",
                   .mappings = one,
                   .one_by_one = 1,
                   .faults = one,
                   .faults_one_by_one = 2,
                   .read_ns = one,
                   .read_one_by_one_ns = 1};
  Row scattered = before;
  scattered.stores = "scattered";
  scattered.one_by_one = 5000;
  scattered.mappings.handler = 40;
  scattered.faults_one_by_one = 300;
  scattered.read_one_by_one_ns = 1.5;
  const Reading part = cow_bench::read_fragments({before, scattered, before}, 65530);
  CHECK(is(part, Verdict::in_part));
  CHECK(says(part, "up to 5,000 where the handler copies page by page (\"scattered\")"));
  CHECK(says(part, "40 with its windows"));
  CHECK(says(part, "of 65,530"));
  CHECK(says(part, "300 page faults"));
  CHECK(says(part, "1.50 times as long"));
  CHECK(says(part, "Where the kernel copies there are at most 1."));
  CHECK(is(cow_bench::read_fragments({before, before}, 0), Verdict::fails));
  Row everywhere = scattered;
  everywhere.mappings.kernel = 60;
  CHECK(is(cow_bench::read_fragments({before, everywhere}, 0), Verdict::holds));
  CHECK(says(cow_bench::read_fragments({before, everywhere}, 0), "it is 5,000 mappings again"));
}

TEST_CASE("complexity: what asks for nothing more than a copy is not called complex", "[lecture]") {
  cow_bench::ComplexityValues values{.handler = {4, 1, 1},
                                     .kernel = cow_bench::Asked{0, 0, 1},
                                     .fork = {0, 0, 1},
                                     .copy = {0, 0, 0},
                                     .miniature_lines = 100,
                                     .handler_lines = 2000,
                                     .kernel_lines = 1000,
                                     .library_lines = 9000};
  const Reading all = cow_bench::read_complexity(values, true);
  CHECK(is(all, Verdict::holds));
  CHECK(says(all, "4 system calls, 1 signal and 1 page fault under the handler"));
  CHECK(says(all, "90.00 times the idea"));
  values.kernel = cow_bench::Asked{0, 0, 0};
  CHECK(is(cow_bench::read_complexity(values, true), Verdict::in_part));
  const Reading uncounted = cow_bench::read_complexity(values, false);
  CHECK(is(uncounted, Verdict::in_part));
  CHECK(says(uncounted, "could not be counted"));
  CHECK_FALSE(says(uncounted, "system call"));
  values.miniature_lines.reset();
  CHECK_FALSE(says(cow_bench::read_complexity(values, true), "lines"));
  values.handler = {0, 0, 0};
  CHECK(is(cow_bench::read_complexity(values, true), Verdict::fails));
}

TEST_CASE("isolation: a leaked byte, and a control that finds none, are failures", "[lecture]") {
  const cow_bench::Guesses coin{.slower_ns = 5, .faster_ns = 5, .right = 0.5};
  const cow_bench::Guesses sure{.slower_ns = 9, .faster_ns = 1, .right = 0.99};
  cow_bench::IsolationValues values{.control = 17,
                                    .stores = 100,
                                    .handler_is_shared = coin,
                                    .handler_has_stored = coin,
                                    .fork_is_shared = sure,
                                    .fork_has_stored = sure};
  CHECK(is(cow_bench::read_isolation(values), Verdict::holds));
  CHECK(says(cow_bench::read_isolation(values), "neither bytes nor time tell here"));
  values.kernel_is_shared = sure;
  values.kernel_has_stored = coin;
  CHECK(is(cow_bench::read_isolation(values), Verdict::in_part));
  CHECK(says(cow_bench::read_isolation(values), "in 50 % (handler) and 99 % (kernel)"));
  CHECK(says(cow_bench::read_isolation(values), "time is not"));
  values.control = 0;
  CHECK(is(cow_bench::read_isolation(values), Verdict::fails));
  CHECK(says(cow_bench::read_isolation(values), "says nothing"));
  values.control = 17;
  values.leaked.kernel = 1;
  CHECK(is(cow_bench::read_isolation(values), Verdict::fails));
  CHECK(says(cow_bench::read_isolation(values), "1 bytes became visible"));
}
