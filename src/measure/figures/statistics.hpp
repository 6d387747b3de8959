#pragma once

// What is said of samples: medians, how sure they are, and whether two sets of them differ at all.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace cow::measure {

struct Interval {
  double low;
  double high;
};

// All of these throw std::invalid_argument where there are no samples.

/// The middle one, or the mean of the two middle ones.
[[nodiscard]] double median(std::span<const double> samples);

/// Between the two nearest samples in proportion, so that the 50th is the median: definition 7 of
/// Hyndman and Fan, "Sample quantiles in statistical packages", The American Statistician 50
/// (1996).
[[nodiscard]] double percentile(std::span<const double> samples, double percent);

/// From the 10th to the 90th percentile, as a share of the median. 0 if the median is 0.
[[nodiscard]] double spread(std::span<const double> samples);

/// The interval that holds the median with 95 %: percentile bootstrap (Efron and Tibshirani, "An
/// Introduction to the Bootstrap", 1993, chapter 13). The same for the same samples and the same
/// standard library: each has a std::gamma_distribution of its own. Samples are taken to be
/// independent of one another (measure/figures/turns.hpp has those that are not); fewer than 6
/// cannot reach 95 %, and get all they span.
[[nodiscard]] Interval median_interval(std::span<const double> samples);

enum class Difference { less, more, none };  ///< none: "no difference seen"

/// "less", "more" or "none".
[[nodiscard]] std::string to_string(Difference difference);

/// One set of samples beside another.
struct Against {
  /// Of the medians. Not finite where there is none, as one of them is below 0 or theirs is 0.
  double ratio;
  Interval interval;  ///< that holds the ratio with 95 %: bootstrap of both sides
  double p;           ///< the rank test's
  /// none unless p is below 5 % and the interval leaves 1 out; where there is no ratio, p alone.
  Difference difference;

  [[nodiscard]] bool has_ratio() const;
};

[[nodiscard]] Against compare(std::span<const double> ours, std::span<const double> theirs);

/// How many samples fell from edges[i] up to edges[i + 1]; into the last bin also at its end.
struct Histogram {
  std::vector<double> edges;
  std::vector<std::size_t> counts;  ///< one fewer than edges
};

/// Edges at equal distances on a logarithmic scale, at most 100 bins. If there are samples of 0 or
/// below, the first bin is theirs, from the smallest of them to the first of those edges.
[[nodiscard]] Histogram histogram(std::span<const double> samples);

}  // namespace cow::measure
