#include "measure/figures/rank_test.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <vector>

namespace cow::measure {

namespace {

constexpr std::size_t most_exact_samples = 30;

/// What the test looks at: in how many pairs ours is the larger one, ties counting half.
struct Ranks {
  double pairs_won = 0;
  double tie_term = 0;  ///< the sum of t³ − t over groups of t equal samples
};

struct Ranked {
  double value;
  bool is_ours;
};

Ranks rank(std::span<const double> ours, std::span<const double> theirs) {
  std::vector<Ranked> all;
  all.reserve(ours.size() + theirs.size());
  for (const double value : ours) all.push_back({value, true});
  for (const double value : theirs) all.push_back({value, false});
  std::ranges::sort(all, {}, &Ranked::value);
  Ranks ranks;
  double theirs_below = 0;
  for (std::size_t first = 0; first < all.size();) {
    double our_ties = 0;
    double their_ties = 0;
    for (const double value = all[first].value; first < all.size() && !(value < all[first].value);
         ++first) {
      (all[first].is_ours ? our_ties : their_ties) += 1;
    }
    ranks.pairs_won += our_ties * (theirs_below + their_ties / 2);
    theirs_below += their_ties;
    const double ties = our_ties + their_ties;
    ranks.tie_term += ties * ties * ties - ties;
  }
  return ranks;
}

/// The probability of each number of pairs won, 0 to m·n. By Mann and Whitney's recurrence: the
/// largest sample of all is ours, and beats all n of theirs, or it is theirs, and beats nothing.
std::vector<double> distribution(std::size_t m, std::size_t n) {
  std::vector<std::vector<double>> fewer_of_ours(n + 1, std::vector<double>{1.0});
  for (std::size_t i = 1; i <= m; ++i) {
    std::vector<std::vector<double>> row(n + 1);
    row[0] = {1.0};
    for (std::size_t j = 1; j <= n; ++j) {
      const double share_ours = static_cast<double>(i) / static_cast<double>(i + j);
      row[j].assign(i * j + 1, 0.0);
      for (std::size_t u = 0; u < fewer_of_ours[j].size(); ++u) {
        row[j][u + j] += share_ours * fewer_of_ours[j][u];
      }
      for (std::size_t u = 0; u < row[j - 1].size(); ++u) {
        row[j][u] += (1 - share_ours) * row[j - 1][u];
      }
    }
    fewer_of_ours = std::move(row);
  }
  return fewer_of_ours[n];
}

double exact_probability(std::size_t m, std::size_t n, double pairs_won) {
  const double at_the_end = std::min(pairs_won, static_cast<double>(m * n) - pairs_won);
  const std::vector<double> probabilities = distribution(m, n);
  double tail = 0;
  for (std::size_t u = 0; u <= static_cast<std::size_t>(at_the_end); ++u) tail += probabilities[u];
  return std::min(1.0, 2 * tail);
}

double normal_probability(double m, double n, const Ranks& ranks) {
  const double all = m + n;
  const double variance = m * n / 12 * (all + 1 - ranks.tie_term / (all * (all - 1)));
  if (!(variance > 0)) return 1;  // every sample is the same
  const double distance = std::max(0.0, std::abs(ranks.pairs_won - m * n / 2) - 0.5);
  return std::erfc(distance / std::sqrt(variance) / std::numbers::sqrt2);
}

}  // namespace

double least_probability(std::size_t our_count, std::size_t their_count) {
  const auto m = static_cast<double>(our_count);
  const auto n = static_cast<double>(their_count);
  // 2 / (m + n over m): of all orders of the samples, the two with the sides apart.
  return std::min(1.0,
                  2 * std::exp(std::lgamma(m + 1) + std::lgamma(n + 1) - std::lgamma(m + n + 1)));
}

bool are_enough(std::size_t our_count, std::size_t their_count) {
  return our_count > 0 && their_count > 0 &&
         least_probability(our_count, their_count) < significance;
}

double rank_test(std::span<const double> ours, std::span<const double> theirs) {
  if (ours.empty() || theirs.empty()) {
    throw std::invalid_argument("a rank test needs samples on both sides");
  }
  const Ranks ranks = rank(ours, theirs);
  const bool is_small = ours.size() <= most_exact_samples && theirs.size() <= most_exact_samples;
  if (is_small && ranks.tie_term == 0) {
    return exact_probability(ours.size(), theirs.size(), ranks.pairs_won);
  }
  const double probability = normal_probability(static_cast<double>(ours.size()),
                                                static_cast<double>(theirs.size()), ranks);
  return std::max(probability, least_probability(ours.size(), theirs.size()));
}

}  // namespace cow::measure
