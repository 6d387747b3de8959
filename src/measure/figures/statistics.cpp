#include "measure/figures/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>

#include "measure/figures/rank_test.hpp"

namespace cow::measure {

namespace {

std::vector<double> sorted(std::span<const double> samples) {
  if (samples.empty()) throw std::invalid_argument("there are no samples to say anything of");
  std::vector<double> values(samples.begin(), samples.end());
  std::ranges::sort(values);
  return values;
}

double median_of_sorted(std::span<const double> values) {
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle]
                                : std::midpoint(values[middle - 1], values[middle]);
}

double percentile_of_sorted(std::span<const double> values, double percent) {
  const double place = std::clamp(percent / 100, 0.0, 1.0) * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], place - static_cast<double>(below));
}

constexpr std::size_t resamples = 2000;

/// Medians of resamples: n samples, drawn from the n with replacement. Which sample becomes the
/// median depends on the ranks drawn alone, and the k-th smallest of n uniform numbers is of the
/// distribution Beta(k, n + 1 − k) (David and Nagaraja, "Order Statistics", 2003, chapter 2): so a
/// resample costs two random numbers, however many samples there are.
class Resampler {
 public:
  Resampler(std::span<const double> sorted_samples, std::uint64_t seed)
      : samples_(sorted_samples),
        below_((samples_.size() + 1) / 2),
        random_(seed),
        rank_below_(static_cast<double>(below_), 1),
        rank_above_(static_cast<double>(samples_.size() + 1 - below_), 1) {}

  [[nodiscard]] double median() {
    const double below = rank_below_(random_);
    const double place = below / (below + rank_above_(random_));
    if (samples_.size() % 2 == 1) return at(place);
    // The next larger one is the least of the n − k that remain, above this one.
    const auto remaining = static_cast<double>(samples_.size() - below_);
    const double next = 1 - (1 - place) * std::pow(1 - uniform_(random_), 1 / remaining);
    return std::midpoint(at(place), at(next));
  }

 private:
  [[nodiscard]] double at(double place) const {
    const auto index = static_cast<std::size_t>(place * static_cast<double>(samples_.size()));
    return samples_[std::min(index, samples_.size() - 1)];
  }

  std::span<const double> samples_;
  std::size_t below_;  ///< the lower of the middle ones, counted from 1
  std::mt19937_64 random_;
  std::gamma_distribution<double> rank_below_;  // two of these make a Beta
  std::gamma_distribution<double> rank_above_;
  std::uniform_real_distribution<double> uniform_;
};

// Any will do; two, so that equal sides are not resampled alike.
constexpr std::uint64_t our_seed = 1;
constexpr std::uint64_t their_seed = 2;

/// What lies between 2.5 % and 97.5 %.
Interval middle(std::array<double, resamples>& values) {
  std::ranges::sort(values);
  constexpr std::size_t outside = resamples / 40;
  return {values[outside], values[resamples - 1 - outside]};
}

double ratio_of(double ours, double theirs) {
  if (ours < 0 || theirs < 0) return std::numeric_limits<double>::quiet_NaN();
  if (theirs > 0) return ours / theirs;
  return ours > 0 ? std::numeric_limits<double>::infinity() : 1;
}

Difference difference_of(const Against& against, double our_median, double their_median) {
  if (!(against.p < significance)) return Difference::none;
  if (!std::isnan(against.ratio)) {
    if (against.interval.high < 1) return Difference::less;
    return against.interval.low > 1 ? Difference::more : Difference::none;
  }
  if (our_median < their_median) return Difference::less;
  return our_median > their_median ? Difference::more : Difference::none;
}

/// Edges from below `low` to `high` or above, at powers of ten and equal parts of them: as many as
/// leave no more than `most_bins` and what the ends take.
void add_edges(double low, double high, double most_bins, std::vector<double>& edges) {
  const double decades = std::log10(high) - std::log10(low);
  double per_decade = 1280;
  while (decades * per_decade > most_bins && per_decade > 1e-3) per_decade /= 2;
  const auto edge = [&](double place) { return std::pow(10.0, place / per_decade); };
  double place = std::floor(std::log10(low) * per_decade);
  if (edge(place) > low) place -= 1;  // rounded to the other side
  edges.push_back(edge(place));
  do {
    place += 1;
    edges.push_back(edge(place));
  } while (edges.back() < high);
}

}  // namespace

double median(std::span<const double> samples) { return median_of_sorted(sorted(samples)); }

double percentile(std::span<const double> samples, double percent) {
  return percentile_of_sorted(sorted(samples), percent);
}

double spread(std::span<const double> samples) {
  const std::vector<double> values = sorted(samples);
  const double middle = median_of_sorted(values);
  if (middle == 0) return 0;
  return (percentile_of_sorted(values, 90) - percentile_of_sorted(values, 10)) / middle;
}

Interval median_interval(std::span<const double> samples) {
  const std::vector<double> values = sorted(samples);
  Resampler resampler(values, our_seed);
  std::array<double, resamples> medians{};
  for (double& value : medians) value = resampler.median();
  return middle(medians);
}

std::string to_string(Difference difference) {
  switch (difference) {
    case Difference::less: return "less";
    case Difference::more: return "more";
    case Difference::none: return "none";
  }
  return {};
}

bool Against::has_ratio() const {
  return std::isfinite(ratio) && std::isfinite(interval.low) && std::isfinite(interval.high);
}

Against compare(std::span<const double> ours, std::span<const double> theirs) {
  const std::vector<double> our_values = sorted(ours);
  const std::vector<double> their_values = sorted(theirs);
  const double our_median = median_of_sorted(our_values);
  const double their_median = median_of_sorted(their_values);
  Against against{ratio_of(our_median, their_median), {}, rank_test(ours, theirs), {}};
  if (our_values.front() < 0 || their_values.front() < 0) {
    against.ratio = std::numeric_limits<double>::quiet_NaN();
  }
  if (std::isnan(against.ratio)) {
    against.interval = {against.ratio, against.ratio};
  } else {
    Resampler our_resampler(our_values, our_seed);
    Resampler their_resampler(their_values, their_seed);
    std::array<double, resamples> ratios{};
    for (double& ratio : ratios) ratio = ratio_of(our_resampler.median(), their_resampler.median());
    against.interval = middle(ratios);
  }
  against.difference = difference_of(against, our_median, their_median);
  return against;
}

Histogram histogram(std::span<const double> samples) {
  const std::vector<double> values = sorted(samples);
  const auto positive = std::ranges::upper_bound(values, 0.0);
  Histogram result;
  if (positive != values.begin()) result.edges.push_back(values.front());
  if (positive == values.end()) {
    result.edges.push_back(0);
  } else {
    const double root = std::sqrt(static_cast<double>(values.size()));
    add_edges(*positive, values.back(), std::clamp(2 * root, 10.0, 100.0) - 3, result.edges);
  }
  result.counts.assign(result.edges.size() - 1, 0);
  for (const double value : values) {
    const auto above = std::ranges::upper_bound(result.edges, value) - result.edges.begin();
    const auto bin = std::clamp<std::ptrdiff_t>(above - 1, 0, std::ssize(result.counts) - 1);
    ++result.counts[static_cast<std::size_t>(bin)];
  }
  return result;
}

}  // namespace cow::measure
