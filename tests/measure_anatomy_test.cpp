// What `cow bench` says of single faults: as many samples as there were stores, parts that make up
// the whole, and no counter that was not read.

#include <sys/syscall.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "call_filter.hpp"
#include "catch.hpp"
#include "measure/experiments.hpp"
#include "measure/experiments/first_stores.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

namespace {

using cow::measure::Comparison;
using cow::measure::Side;
using cow::measure::Turn;
using cow::measure::TurnResult;

const cow::measure::Scale quick = [] {
  cow::measure::Scale scale;
  scale.is_quick = true;
  return scale;
}();

/// Nothing where it cannot be had here. Says why.
Turn prepared(const Side& side) {
  if (support::has_thread_sanitizer) {
    if (side.mechanism == "bare-signal") {
      WARN("not run: ThreadSanitizer delivers a signal that was sent when it likes");
      return {};
    }
    if (side.mechanism == "uffd-thread") {
      WARN("not run: ThreadSanitizer cannot know that a store waits for who answers its fault");
      return {};
    }
  }
  try {
    return side.prepare();
  } catch (const cow::measure::Unavailable& reason) {
    WARN(side.mechanism << " cannot be had: " << reason.what());
    return {};
  }
}

const double* count_of(const TurnResult& result, const std::string& name) {
  const auto found = std::ranges::find(result.counts, name, [](const auto& c) { return c.first; });
  return found == result.counts.end() ? nullptr : &found->second;
}

std::map<std::string, std::string> absent_of(const Comparison& comparison) {
  return {comparison.counters_absent.begin(), comparison.counters_absent.end()};
}

const Side& side_of(const Comparison& comparison, const std::string& mechanism) {
  const auto found = std::ranges::find(comparison.sides, mechanism, &Side::mechanism);
  if (found == comparison.sides.end()) throw std::runtime_error("no side " + mechanism);
  return *found;
}

/// Those that answer in user space, whatever the system.
bool must_have_parts(const Side& side) {
  static const std::set<std::string> those = {"handler-clone", "uffd-signal", "uffd-thread",
                                              "bare-remap",    "bare-fault",  "bare-signal"};
  return those.contains(side.mechanism);
}

/// Whether all parts of each sample are there, none of them negative, and make it up.
bool parts_make_up_the_whole(const TurnResult& result) {
  for (std::size_t i = 0; i < result.samples.size(); ++i) {
    double sum = 0;
    for (const auto& part : result.parts) {
      if (part.values.at(i) < 0) return false;
      sum += part.values[i];
    }
    if (sum != result.samples[i]) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("every single first store is a sample", "[measure]") {
  for (const Comparison& comparison : cow::measure::single_faults(quick)) {
    for (const Side& side : comparison.sides) {
      CAPTURE(comparison.workload, side.mechanism);
      const Turn turn = prepared(side);
      if (!turn) continue;
      for (const std::uint64_t number : {0U, 1U}) {
        CHECK(turn(number).samples.size() == comparison.parameters.at("stores"));
      }
    }
  }
}

TEST_CASE("the parts of a fault are in order and make up the whole, of every first store",
          "[measure]") {
  const std::vector<std::string> order = {"delivery", "lookup", "allocate",
                                          "copy",     "map",    "return"};
  for (const Comparison& comparison : cow::measure::fault_anatomy(quick)) {
    // The last one is about the call that comes after the stores.
    if (!comparison.parameters.contains("others")) continue;
    const bool is_taken_apart = comparison.workload.find("taken apart") != std::string::npos;
    const auto stores = comparison.parameters.at("stores").get<std::size_t>();
    for (const Side& side : comparison.sides) {
      CAPTURE(comparison.workload, side.mechanism);
      const Turn turn = prepared(side);
      if (!turn) continue;
      const TurnResult result = turn(1);
      CHECK(result.samples.size() == stores);
      if (is_taken_apart && must_have_parts(side)) CHECK(!result.parts.empty());
      if (result.parts.empty()) continue;
      auto place = order.begin();
      for (const auto& part : result.parts) {
        CHECK(part.values.size() == stores);
        place = std::find(place, order.end(), part.name);
        CHECK(place != order.end());
      }
      CHECK(result.parts.back().name == "return");
      CHECK(parts_make_up_the_whole(result));
    }
  }
}

TEST_CASE("what a mechanism leaves for the next begin is one sample a turn", "[measure]") {
  const Comparison next = cow::measure::fault_anatomy(quick).back();
  for (const Side& side : next.sides) {
    CAPTURE(side.mechanism);
    const Turn turn = prepared(side);
    if (turn) CHECK(turn(1).samples.size() == 1);
  }
}

TEST_CASE("page faults counted by perf_event_open are those that getrusage counts", "[measure]") {
  const Comparison alone = cow::measure::fault_anatomy(quick).front();
  for (const std::string mechanism : {"private", "fork", "bare-remap"}) {
    CAPTURE(mechanism);
    const TurnResult result = prepared(side_of(alone, mechanism))(1);
    const double* const usage = count_of(result, "minor faults, getrusage");
    REQUIRE(usage != nullptr);
    CHECK(*usage >= 1);           // each store to a page that another one shows is a fault
    const double few = 4 / 64.0;  // of what is between the readings, for each of 64 stores
    if (const double* const all = count_of(result, "minor faults")) {
      CHECK(std::abs(*all - *usage) <= few);
    } else if (const double* const user = count_of(result, "minor faults, user mode")) {
      CHECK(*user <= *usage + few);
      CHECK(*user >= 1 - few);
    } else {
      WARN("page faults are not counted here: " << absent_of(alone).at("minor faults"));
    }
  }
}

TEST_CASE("where perf_event_open is forbidden, the counters are absent with a reason and the rest "
          "is measured",
          "[measure]") {
  if (!support::has_call_filters()) {
    WARN("not run: this system has no filters of system calls");
    return;
  }
  const support::ChildResult child = support::run_in_child([]() -> std::string {
    if (!support::CallFilter().refuse(SYS_perf_event_open, {}, EPERM).install_allowing()) {
      return "no filter";
    }
    const Comparison alone = cow::measure::fault_anatomy(quick).front();
    const std::map<std::string, std::string> absent = absent_of(alone);
    for (const char* name :
         {"page faults", "minor faults", "context switches", "TLB flushes", "TLB shootdowns",
          "dTLB misses of stores", "cycles, user mode", "cycles, kernel mode",
          "instructions, user mode", "instructions, kernel mode"}) {
      if (!absent.contains(name)) return std::string("no reason for ") + name;
      if (!support::is_sentence(absent.at(name))) return absent.at(name);
    }
    for (const char* mechanism : {"private", "bare-fault"}) {
      const TurnResult result = side_of(alone, mechanism).prepare()(1);
      if (result.samples.size() != alone.parameters.at("stores")) return "samples are missing";
      if (result.counts.size() != 4) return "a counter was read that is forbidden";
      for (const char* name : {"minor faults, getrusage", "clock ns", "mean ns of a store"}) {
        if (count_of(result, name) == nullptr) return std::string("no ") + name;
      }
      const double* const share = count_of(result, "share of stores that faulted");
      if (share == nullptr || *share < 0.9) return "first stores that were no faults";
    }
    return "";
  });
  CHECK(child.exited());
  CHECK(child.complaint == "");
}

TEST_CASE("memory of single faults is large enough for several turns, whatever the page size",
          "[measure]") {
  for (const bool is_quick : {true, false}) {
    for (const bool is_full : {true, false}) {
      cow::measure::Scale scale;
      scale.is_quick = is_quick;
      scale.is_full = is_full;
      for (const std::size_t page_bytes : {4096U, 16384U, 65536U}) {
        CAPTURE(is_quick, is_full, page_bytes);
        const cow::measure::FirstStores stores = cow::measure::first_stores(scale, page_bytes);
        const cow::measure::PieceByPiece pieces(stores);
        CHECK(stores.bytes % page_bytes == 0);
        CHECK(*std::ranges::max_element(pieces.timed(1)) < stores.pages());
        CHECK_FALSE(std::ranges::equal(pieces.timed(0), pieces.timed(3)));
      }
    }
  }
}

TEST_CASE("no plan stores to more pages than its memory has", "[measure]") {
  for (const bool is_full : {false, true}) {
    cow::measure::Scale scale;
    scale.is_full = is_full;
    for (const cow::measure::Experiment& experiment : cow::measure::experiments()) {
      if (experiment.name == "trace") continue;  // which needs a file
      for (const Comparison& comparison : experiment.comparisons(scale)) {
        CAPTURE(experiment.name, comparison.workload);
        const auto& parameters = comparison.parameters;
        if (parameters.contains("stores")) CHECK(parameters.at("stores") <= parameters.at("pages"));
      }
    }
  }
}

TEST_CASE("a thread that answers faults has a processor that no busy thread has", "[measure]") {
  for (const Comparison& comparison : cow::measure::fault_anatomy(quick)) {
    const auto others = comparison.parameters.value("others", std::size_t{0});
    if (others == 0) continue;
    const Side& reader = side_of(comparison, "uffd-thread");
    if (reader.parameters.contains("others")) {
      CHECK(reader.parameters.at("others") == others - 1);
      CHECK(others - 1 > 0);
    } else {
      CHECK_THROWS_AS(reader.prepare(), cow::measure::Unavailable);
    }
    return;
  }
  FAIL("no workload with busy threads");
}

TEST_CASE("a turn stores to no page again before all pages had their turn", "[measure]") {
  const cow::measure::FirstStores stores{
      .bytes = 64 * cow::measure::host_page_bytes(), .timed = 12, .counted = 4};
  const cow::measure::PieceByPiece pieces(stores);
  std::set<std::size_t> seen;
  for (const std::uint64_t turn : {0U, 1U, 2U, 3U}) {
    for (const std::size_t page : pieces.timed(turn)) CHECK(seen.insert(page).second);
    for (const std::size_t page : pieces.counted(turn)) CHECK(seen.insert(page).second);
  }
  CHECK(seen.size() == 64);
  CHECK(std::ranges::equal(pieces.timed(0), pieces.timed(4)));
}
