#include "measure/figures/turns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>

#include "measure/figures/rank_test.hpp"

namespace cow::measure {

namespace {

constexpr std::size_t resamples = 2000;
constexpr std::uint64_t any_seed = 3;

bool has_turns_of_several(const Row& row) {
  return std::ranges::any_of(row.turn_sizes, [](std::size_t size) { return size != 1; });
}

/// Each sample with its turn, by size.
struct Placed {
  double value;
  std::size_t turn;
};

std::vector<Placed> in_order(const Row& row) {
  std::vector<Placed> all;
  all.reserve(row.samples.size());
  std::size_t turn = 0;
  for (const std::size_t size : row.turn_sizes) {
    for (std::size_t i = 0; i < size; ++i) all.push_back({row.samples[all.size()], turn});
    ++turn;
  }
  std::ranges::sort(all, {}, &Placed::value);
  return all;
}

/// Medians of all samples of turns that were drawn.
class Clusters {
 public:
  /// The median of turns together lies between the least and the largest of theirs: samples beyond
  /// these are only counted.
  Clusters(const Row& row, const Interval& of_medians)
      : sizes_(row.turn_sizes),
        below_(sizes_.size()),
        drawn_(sizes_.size()),
        least_(of_medians.low) {
    for (const Placed& placed : in_order(row)) {
      if (placed.value < of_medians.low) {
        ++below_[placed.turn];
      } else if (placed.value <= of_medians.high) {
        between_.push_back(placed);
      }
    }
  }

  [[nodiscard]] double median(std::mt19937_64& random) {
    std::ranges::fill(drawn_, 0U);
    std::uniform_int_distribution<std::size_t> any(0, sizes_.size() - 1);
    for (std::size_t i = 0; i < sizes_.size(); ++i) ++drawn_[any(random)];
    const std::size_t all =
        std::inner_product(drawn_.begin(), drawn_.end(), sizes_.begin(), std::size_t{0});
    std::size_t passed =
        std::inner_product(drawn_.begin(), drawn_.end(), below_.begin(), std::size_t{0});
    const std::size_t middle = (all + 1) / 2;  // the lower one, counted from 1
    for (const Placed& placed : between_) {
      passed += drawn_[placed.turn];
      if (passed >= middle) return placed.value;
    }
    return between_.empty() ? least_ : between_.back().value;
  }

 private:
  std::vector<std::size_t> sizes_;
  std::vector<std::size_t> below_;
  std::vector<std::size_t> drawn_;  ///< how often each turn was
  double least_;
  std::vector<Placed> between_;
};

Interval hull(const Interval& a, const Interval& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

Interval cluster_interval(const Row& row, std::span<const double> medians) {
  const auto [least, largest] = std::ranges::minmax(medians);
  Clusters clusters(row, {least, largest});
  std::mt19937_64 random(any_seed);
  std::vector<double> found(resamples);
  for (double& value : found) value = clusters.median(random);
  return {percentile(found, 2.5), percentile(found, 97.5)};
}

}  // namespace

std::vector<double> turn_medians(const Row& row) {
  if (row.turn_sizes.empty()) return row.samples;
  const std::size_t all =
      std::accumulate(row.turn_sizes.begin(), row.turn_sizes.end(), std::size_t{0});
  if (all != row.samples.size()) {
    throw std::invalid_argument(
        fmt::format("there are {} samples, and turns with {} in all", row.samples.size(), all));
  }
  std::vector<double> medians;
  std::span<const double> left = row.samples;
  for (const std::size_t size : row.turn_sizes) {
    if (size > 0) medians.push_back(median(left.first(size)));
    left = left.subspan(size);
  }
  return medians;
}

std::size_t count_of_turns(const Row& row) {
  if (row.turn_sizes.empty()) return row.samples.size();
  const auto empty = std::ranges::count(row.turn_sizes, std::size_t{0});
  return row.turn_sizes.size() - static_cast<std::size_t>(empty);
}

Interval median_interval(const Row& row) {
  if (!has_turns_of_several(row)) return median_interval(row.samples);
  const std::vector<double> medians = turn_medians(row);
  const Interval interval = hull(cluster_interval(row, medians), median_interval(medians));
  const double middle = median(row.samples);
  return hull(interval, {middle, middle});
}

Against compare(const Row& ours, const Row& theirs) {
  Against against = compare(turn_medians(ours), turn_medians(theirs));
  const bool is_by_turns = has_turns_of_several(ours) || has_turns_of_several(theirs);
  if (!is_by_turns || !against.has_ratio()) return against;
  const double their_median = median(theirs.samples);
  if (their_median > 0) against.ratio = median(ours.samples) / their_median;
  against.interval = hull(against.interval, {against.ratio, against.ratio});
  if (against.interval.low <= 1 && 1 <= against.interval.high) {
    against.difference = Difference::none;
  }
  return against;
}

bool are_enough(const Row& ours, const Row& theirs) {
  return are_enough(count_of_turns(ours), count_of_turns(theirs));
}

std::string count_words(const Row& row) {
  const std::size_t count = count_of_turns(row);
  return fmt::format("{} {}{}", count, has_turns_of_several(row) ? "turn" : "sample",
                     count == 1 ? "" : "s");
}

}  // namespace cow::measure
