#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <stdexcept>
#include <vector>

#include "catch.hpp"
#include "measure/figures/rank_test.hpp"
#include "measure/figures/statistics.hpp"

namespace {

using namespace cow::measure;
using Values = std::vector<double>;

/// Times as they are measured: most near one another, some much longer.
Values times(std::mt19937_64& random, std::size_t count, double around = 1000) {
  std::lognormal_distribution<double> factor(0, 0.2);
  Values values(count);
  for (double& value : values) value = around * factor(random);
  return values;
}

Values times_by(double factor, Values values) {
  for (double& value : values) value *= factor;
  return values;
}

double pairs_won(const Values& ours, const Values& theirs) {
  double won = 0;
  for (const double a : ours) {
    for (const double b : theirs) won += a > b ? 1 : a == b ? 0.5 : 0;
  }
  return won;
}

/// The test's probability by its definition: in how many of all ways to say which samples are ours
/// the sides are as far from even as they are.
double probability_by_counting(const Values& ours, const Values& theirs) {
  Values all = ours;
  all.insert(all.end(), theirs.begin(), theirs.end());
  const double even = static_cast<double>(ours.size() * theirs.size()) / 2;
  const double seen = std::abs(pairs_won(ours, theirs) - even);
  std::vector<bool> is_ours(all.size(), false);
  std::fill(is_ours.end() - static_cast<std::ptrdiff_t>(ours.size()), is_ours.end(), true);
  double as_far = 0;
  double ways = 0;
  do {
    Values a;
    Values b;
    for (std::size_t i = 0; i < all.size(); ++i) (is_ours[i] ? a : b).push_back(all[i]);
    as_far += std::abs(pairs_won(a, b) - even) >= seen ? 1 : 0;
    ways += 1;
  } while (std::next_permutation(is_ours.begin(), is_ours.end()));
  return as_far / ways;
}

/// The bootstrap as it is defined: whole sets are drawn.
Interval interval_by_resampling(const Values& values, std::mt19937_64& random) {
  std::uniform_int_distribution<std::size_t> any(0, values.size() - 1);
  Values medians(20'000);
  for (double& middle : medians) {
    Values drawn(values.size());
    for (double& value : drawn) value = values[any(random)];
    middle = median(drawn);
  }
  return {percentile(medians, 2.5), percentile(medians, 97.5)};
}

}  // namespace

TEST_CASE("Medians and percentiles lie between samples in proportion", "[measure]") {
  CHECK(median(Values{3}) == 3);
  CHECK(median(Values{9, 1, 5}) == 5);
  CHECK(median(Values{9, 1, 5, 2}) == 3.5);
  const Values hundred_and_one = [] {
    Values values(101);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(100 - i);
    return values;
  }();
  for (const double percent : {0.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    CHECK(percentile(hundred_and_one, percent) == Approx(percent));
  }
  CHECK(percentile(Values{1, 2}, 75) == 1.75);
  CHECK(spread(hundred_and_one) == Approx(80.0 / 50));
  CHECK(spread(Values{0, 0}) == 0);
  CHECK_THROWS_AS(median(Values{}), std::invalid_argument);
  CHECK_THROWS_AS(median_interval(Values{}), std::invalid_argument);
  CHECK_THROWS_AS(compare(Values{1}, Values{}), std::invalid_argument);
}

TEST_CASE("The middle percentile is the median, and percentiles do not fall", "[measure]") {
  std::mt19937_64 random(1);
  for (std::size_t count = 1; count < 60; ++count) {
    const Values values = times(random, count);
    CHECK(percentile(values, 50) == Approx(median(values)));
    double last = -1;
    for (const double percent : {0.0, 1.0, 25.0, 50.0, 90.0, 99.9, 100.0}) {
      CHECK(percentile(values, percent) >= last);
      last = percentile(values, percent);
    }
    CHECK(percentile(values, 0) == *std::ranges::min_element(values));
    CHECK(percentile(values, 100) == *std::ranges::max_element(values));
  }
}

TEST_CASE("A median's interval contains it, is of the samples' span, and of them alone",
          "[measure]") {
  std::mt19937_64 random(2);
  for (const std::size_t count : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 20U, 51U, 400U, 100'000U}) {
    const Values values = times(random, count);
    const Interval interval = median_interval(values);
    CAPTURE(count, interval.low, interval.high);
    CHECK(interval.low <= median(values));
    CHECK(median(values) <= interval.high);
    CHECK(interval.low >= *std::ranges::min_element(values));
    CHECK(interval.high <= *std::ranges::max_element(values));
    Values shuffled = values;
    std::ranges::shuffle(shuffled, random);
    CHECK(median_interval(shuffled).low == interval.low);
    CHECK(median_interval(shuffled).high == interval.high);
  }
}

TEST_CASE("Drawing a resample's median is as drawing the resample", "[measure]") {
  std::mt19937_64 random(3);
  for (const std::size_t count : {5U, 8U, 21U, 40U}) {
    const Values values = times(random, count);
    const Interval interval = median_interval(values);
    const Interval drawn = interval_by_resampling(values, random);
    CAPTURE(count, interval.low, drawn.low, interval.high, drawn.high);
    // No further apart than one sample is from the next: what chance decides.
    Values sorted = values;
    std::ranges::sort(sorted);
    const auto place = [&](double value) {
      return std::ranges::lower_bound(sorted, value) - sorted.begin();
    };
    CHECK(std::abs(place(interval.low) - place(drawn.low)) <= 1);
    CHECK(std::abs(place(interval.high) - place(drawn.high)) <= 1);
  }
}

TEST_CASE("The interval holds the median about as often as it says", "[measure]") {
  std::mt19937_64 random(4);
  for (const std::size_t count : {6U, 15U, 40U, 301U}) {
    int held = 0;
    int ratio_held = 0;
    for (int i = 0; i < 200; ++i) {
      const Values values = times(random, count);
      const Interval interval = median_interval(values);
      held += interval.low <= 1000 && 1000 <= interval.high ? 1 : 0;
      const Against against = compare(values, times(random, count, 500));
      ratio_held += against.interval.low <= 2 && 2 <= against.interval.high ? 1 : 0;
    }
    CAPTURE(count);
    CHECK(held >= 180);  // 190 are to be expected, give or take 3
    CHECK(ratio_held >= 180);
  }
}

TEST_CASE("The rank test gives what textbooks give", "[measure]") {
  // Hollander and Wolfe, "Nonparametric Statistical Methods", 1973, page 69: one-sided 0.1272.
  const Values at_term = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
  const Values earlier = {1.15, 0.88, 0.90, 0.74, 1.21};
  CHECK(pairs_won(at_term, earlier) == 35);
  CHECK(rank_test(at_term, earlier) == Approx(0.2544).margin(5e-5));
  CHECK(rank_test(earlier, at_term) == Approx(0.2544).margin(5e-5));

  // R's documentation of wilcox.test: ozone in May and August, with ties: W 127.5, p 0.0001208.
  const Values may = {41, 36, 12, 18, 28, 23, 19, 8, 7,  16, 11, 14,  18,
                      14, 34, 6,  30, 11, 1,  11, 4, 32, 23, 45, 115, 37};
  const Values august = {39, 9,  16, 78, 35, 66, 122, 89,  110, 44, 28,  65, 22,
                         59, 23, 31, 44, 21, 9,  45,  168, 73,  76, 118, 84, 85};
  CHECK(pairs_won(may, august) == 127.5);
  CHECK(rank_test(may, august) == Approx(0.0001208).epsilon(0.001));

  // The tables' critical values of U at 5 %, two-sided: 2 for 5 and 5, 23 for 10 and 10.
  CHECK(rank_test(Values{1, 2, 3, 5, 7}, Values{4, 6, 8, 9, 10}) > 0.05);  // U is 3
  CHECK(rank_test(Values{1, 2, 3, 4, 7}, Values{5, 6, 8, 9, 10}) < 0.05);  // U is 2
}

TEST_CASE("The rank test is what counting all orders gives", "[measure]") {
  std::mt19937_64 random(5);
  for (const auto& [m, n] : {std::pair{1U, 1U}, {2U, 5U}, {3U, 3U}, {4U, 4U}, {5U, 4U}, {5U, 6U}}) {
    for (int i = 0; i < 5; ++i) {
      const Values ours = times(random, m, 1000 + 100 * i);
      const Values theirs = times(random, n);
      CHECK(rank_test(ours, theirs) == Approx(probability_by_counting(ours, theirs)));
    }
    CHECK(least_probability(m, n) == Approx(rank_test(times(random, m, 1e9), times(random, n))));
  }
}

TEST_CASE("The normal distribution stands in for the exact one", "[measure]") {
  std::mt19937_64 random(6);
  for (int i = 0; i < 40; ++i) {
    const Values ours = times(random, 30, 1000 + 10 * i);
    Values theirs = times(random, 30);
    theirs[1] = std::nextafter(theirs[0], 1e9);
    const double exact = rank_test(ours, theirs);
    theirs[1] = theirs[0];  // a tie: no other order, but the normal distribution
    CHECK(rank_test(ours, theirs) == Approx(exact).margin(0.003));
  }
}

TEST_CASE("Samples that are all the same are not told apart from themselves", "[measure]") {
  CHECK(rank_test(Values(7, 3.0), Values(9, 3.0)) == 1);
  const Against same = compare(Values(7, 3.0), Values(9, 3.0));
  CHECK(same.ratio == 1);
  CHECK(same.difference == Difference::none);
  CHECK(compare(Values(7, 3.0), Values(7, 4.0)).difference == Difference::less);
  // Three and three, and ties: the normal distribution alone would see a difference.
  CHECK(rank_test(Values(3, 3.0), Values(3, 4.0)) == Approx(0.1));
}

TEST_CASE("Too few samples are never told apart", "[measure]") {
  CHECK_FALSE(are_enough(3, 3));
  CHECK(are_enough(4, 4));
  CHECK_FALSE(are_enough(1, 38));
  CHECK(are_enough(1, 40));
  CHECK_FALSE(are_enough(0, 100));
  CHECK(are_enough(100'000, 100'000));
  CHECK(compare(Values{1, 2, 3}, Values{100, 200, 300}).difference == Difference::none);
  CHECK(compare(Values{1, 2, 3, 4}, Values{100, 200, 300, 400}).difference == Difference::less);
}

TEST_CASE("A set does not differ from itself, and one that is shifted does", "[measure]") {
  std::mt19937_64 random(7);
  for (const std::size_t count : {4U, 5U, 12U, 31U, 200U, 5000U}) {
    const Values values = times(random, count);
    const Against itself = compare(values, values);
    CHECK(itself.ratio == 1);
    CHECK(itself.difference == Difference::none);
    CHECK(itself.interval.low <= 1);
    CHECK(itself.interval.high >= 1);
    const Against slower = compare(times_by(4, values), values);
    CHECK(slower.ratio == Approx(4));
    CHECK(slower.difference == Difference::more);
    CHECK(compare(values, times_by(4, values)).difference == Difference::less);
  }
}

TEST_CASE("Equal sides are found to differ no more often than is allowed", "[measure]") {
  std::mt19937_64 random(8);
  for (const std::size_t count : {5U, 20U, 60U}) {
    int differ = 0;
    for (int i = 0; i < 300; ++i) {
      const Against against = compare(times(random, count), times(random, count));
      differ += against.difference == Difference::none ? 0 : 1;
    }
    CAPTURE(count);
    CHECK(differ <= 27);  // 15 are to be expected, give or take 3.8
  }
}

TEST_CASE("Where there is no ratio none is given", "[measure]") {
  CHECK_FALSE(compare(Values{1, 2, 3}, Values{0, 0, 0}).has_ratio());
  CHECK(compare(Values{0, 0, 0}, Values{1, 2, 3}).ratio == 0);
  CHECK(compare(Values(9, 0), Values(9, 0)).ratio == 1);
  CHECK(compare(Values(9, 5), Values(9, 0)).difference == Difference::more);
  const Against below = compare(Values(9, -5), Values(9, 5));
  CHECK_FALSE(below.has_ratio());
  CHECK(below.difference == Difference::less);
}

TEST_CASE("A histogram has every sample, between edges at equal distances", "[measure]") {
  std::mt19937_64 random(9);
  for (const std::size_t count : {1U, 100U, 1000U, 20'000U}) {
    const Values values = times(random, count, 437);
    const Histogram bins = histogram(values);
    REQUIRE(bins.edges.size() == bins.counts.size() + 1);
    CHECK(bins.counts.size() <= 100);
    CHECK(bins.edges.front() <= *std::ranges::min_element(values));
    CHECK(bins.edges.back() >= *std::ranges::max_element(values));
    const double step = bins.edges[1] / bins.edges[0];
    std::size_t seen = 0;
    for (std::size_t i = 0; i < bins.counts.size(); ++i) {
      CHECK(bins.edges[i + 1] / bins.edges[i] == Approx(step));
      const bool is_last = i + 1 == bins.counts.size();
      const auto inside = std::ranges::count_if(values, [&](double value) {
        return bins.edges[i] <= value &&
               (value < bins.edges[i + 1] || (is_last && value == bins.edges[i + 1]));
      });
      CHECK(static_cast<std::size_t>(inside) == bins.counts[i]);
      seen += bins.counts[i];
    }
    CHECK(seen == count);
  }
}

TEST_CASE("A histogram takes any number", "[measure]") {
  for (const Values& values :
       {Values{0, 0, 0}, Values{-3, 0, 5}, Values{1e-300, 1e300}, Values{1000, 1000}, Values{10},
        Values{0, 1e-9, 1e12}, Values{-2, -1}}) {
    const Histogram bins = histogram(values);
    REQUIRE(bins.edges.size() == bins.counts.size() + 1);
    CHECK(std::ranges::is_sorted(bins.edges));
    CHECK(bins.counts.size() <= 100);
    std::size_t seen = 0;
    for (const std::size_t bin : bins.counts) seen += bin;
    CHECK(seen == values.size());
  }
}
