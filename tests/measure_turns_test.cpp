// What is said of samples that came in turns: those of one turn are no independent values.

#include <algorithm>
#include <cstddef>
#include <random>
#include <stdexcept>
#include <vector>

#include "catch.hpp"
#include "measure/engine/noise.hpp"
#include "measure/experiments.hpp"
#include "measure/figures/turns.hpp"

namespace {

using namespace cow::measure;

constexpr std::size_t samples_of_a_turn = 200;

/// Turns whose frequency and cache make all their samples longer or shorter by some 5 %, and in
/// which samples are 2 % apart.
Row turns(std::mt19937_64& random, std::size_t count, double around = 1000) {
  std::normal_distribution<double> of_turn(0, 0.05);
  std::normal_distribution<double> of_sample(0, 0.02);
  Row row;
  for (std::size_t turn = 0; turn < count; ++turn) {
    const double middle = around * (1 + of_turn(random));
    for (std::size_t i = 0; i < samples_of_a_turn; ++i) {
      row.samples.push_back(middle * (1 + of_sample(random)));
    }
    row.turn_sizes.push_back(samples_of_a_turn);
  }
  return row;
}

bool are_apart(const Interval& a, const Interval& b) { return a.high < b.low || b.high < a.low; }

}  // namespace

TEST_CASE("Intervals of equal runs overlap, though samples of a turn are alike", "[measure]") {
  std::mt19937_64 random(1);
  for (const std::size_t count : {6U, 12U, 40U}) {
    std::size_t apart = 0;
    std::size_t apart_by_samples = 0;
    std::size_t held = 0;
    constexpr std::size_t pairs = 100;
    for (std::size_t i = 0; i < pairs; ++i) {
      const Row ours = turns(random, count);
      const Row theirs = turns(random, count);
      const Interval interval = median_interval(ours);
      apart += are_apart(interval, median_interval(theirs)) ? 1 : 0;
      apart_by_samples +=
          are_apart(median_interval(ours.samples), median_interval(theirs.samples)) ? 1 : 0;
      held += interval.low <= 1000 && 1000 <= interval.high ? 1 : 0;
    }
    CAPTURE(count, apart, apart_by_samples, held);
    CHECK(apart <= 4);
    CHECK(held >= 90);
    CHECK(apart_by_samples >= 70);  // what would be said of samples taken to be independent
  }
}

TEST_CASE("Equal runs of turns are seen to differ no more often than is said", "[measure]") {
  std::mt19937_64 random(2);
  for (const std::size_t count : {6U, 24U}) {
    std::size_t seen = 0;
    for (int i = 0; i < 100; ++i) {
      const Against against = compare(turns(random, count), turns(random, count));
      seen += against.difference == Difference::none ? 0 : 1;
      CHECK(against.interval.low <= against.ratio);
      CHECK(against.ratio <= against.interval.high);
    }
    CAPTURE(count, seen);
    CHECK(seen <= 12);
  }
  CHECK(compare(turns(random, 12, 1300), turns(random, 12)).difference == Difference::more);
  CHECK(compare(turns(random, 12), turns(random, 12, 1300)).difference == Difference::less);
}

TEST_CASE("The interval holds the median of all samples, whatever the turns are like",
          "[measure]") {
  std::mt19937_64 random(3);
  std::uniform_int_distribution<std::size_t> any_size(0, 7);
  std::lognormal_distribution<double> any_sample(3, 1);
  for (int i = 0; i < 200; ++i) {
    Row row;
    for (int turn = 0; turn < 9; ++turn) {
      row.turn_sizes.push_back(any_size(random));
      for (std::size_t k = 0; k < row.turn_sizes.back(); ++k) {
        row.samples.push_back(any_sample(random));
      }
    }
    if (row.samples.empty()) continue;
    const Interval interval = median_interval(row);
    CHECK(interval.low <= median(row.samples));
    CHECK(median(row.samples) <= interval.high);
    CHECK(interval.low >= *std::ranges::min_element(row.samples));
    CHECK(interval.high <= *std::ranges::max_element(row.samples));
    CHECK(turn_medians(row).size() == count_of_turns(row));
  }
}

TEST_CASE("Samples that are a turn each are judged as samples", "[measure]") {
  std::mt19937_64 random(4);
  Row one = turns(random, 1);
  Row other = turns(random, 1, 1010);
  one.turn_sizes.clear();
  other.turn_sizes.assign(other.samples.size(), 1);
  const Interval interval = median_interval(other);
  CHECK(interval.low == median_interval(other.samples).low);
  CHECK(interval.high == median_interval(other.samples).high);
  CHECK(compare(one, other).p == compare(one.samples, other.samples).p);
  CHECK(compare(one, other).ratio == compare(one.samples, other.samples).ratio);
  CHECK(count_words(other) == "200 samples");
}

TEST_CASE("Few turns are few, however many samples they have", "[measure]") {
  std::mt19937_64 random(5);
  CHECK_FALSE(are_enough(turns(random, 3), turns(random, 3)));
  CHECK(are_enough(turns(random, 4), turns(random, 4)));
  CHECK(compare(turns(random, 2, 100), turns(random, 2, 900)).difference == Difference::none);
  CHECK(count_words(turns(random, 3)) == "3 turns");
  Row row = turns(random, 2);
  row.turn_sizes.push_back(1);
  CHECK_THROWS_AS(turn_medians(row), std::invalid_argument);
}

TEST_CASE("A row is warned of where the rank test could find nothing, and nowhere else",
          "[measure]") {
  std::mt19937_64 random(6);
  const auto warning = [](const Row& row) {
    const std::vector<std::string> warnings = warnings_of(row);
    return warnings.empty() ? std::string() : warnings.front();
  };
  Row row;
  row.samples = {100, 100.1, 100.2};
  CHECK(warning(row) == "3 samples: too few to tell a difference from chance");
  row.samples.push_back(100.3);
  CHECK(are_enough(row, row));
  CHECK(warning(row).empty());
  CHECK(warning(turns(random, 3)) == "3 turns: too few to tell a difference from chance");
  CHECK(warning(turns(random, 6)).empty());
}

TEST_CASE("Experiments with many samples a turn take turns enough to be told apart", "[measure]") {
  for (const bool is_full : {false, true}) {
    Scale scale;
    scale.is_full = is_full;
    for (const auto make : {single_faults, fault_anatomy}) {
      for (const Comparison& comparison : make(scale)) {
        CAPTURE(comparison.workload);
        CHECK(comparison.least_turns >= 5);
        const bool has_many = comparison.parameters.contains("others");
        if (has_many) CHECK(comparison.least_turns >= 6);
        CHECK(comparison.most_turns >= comparison.least_turns);
        // What cannot be counted is of who measures, not of what is measured.
        CHECK_FALSE(comparison.parameters.contains("counters_absent"));
      }
    }
  }
}
