#pragma once

// How well a time tells two cases apart.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "textbook_values.hpp"

namespace cow_bench {

/// `times[i]` is what a store took, `is_slow[i]` whether it was one of those that should take
/// longer. The first half sets a threshold between the two medians, the second half is guessed by
/// it. Each half has stores of both kinds, or nothing can be told.
[[nodiscard]] inline Guesses guess(const std::vector<double>& times,
                                   const std::vector<bool>& is_slow) {
  const std::size_t half = times.size() / 2;
  const auto median = [&](bool slow) {
    std::vector<double> chosen;
    for (std::size_t i = 0; i < half; ++i) {
      if (is_slow[i] == slow) chosen.push_back(times[i]);
    }
    if (chosen.empty()) return 0.0;
    const auto middle = chosen.begin() + static_cast<std::ptrdiff_t>(chosen.size() / 2);
    std::nth_element(chosen.begin(), middle, chosen.end());
    return *middle;
  };
  Guesses guesses{.slower_ns = median(true), .faster_ns = median(false)};
  const double threshold = (guesses.slower_ns + guesses.faster_ns) / 2;
  std::size_t right = 0;
  for (std::size_t i = half; i < times.size(); ++i) {
    const bool slow = (times[i] > threshold) == (guesses.slower_ns > guesses.faster_ns);
    if (slow == is_slow[i]) ++right;
  }
  const auto guessed = static_cast<double>(std::max<std::size_t>(times.size() - half, 1));
  guesses.right = static_cast<double>(right) / guessed;
  return guesses;
}

}  // namespace cow_bench
