#pragma once

// Where two ways to do something meet.

#include <optional>
#include <vector>

namespace cow_bench {

/// At `share` of the pages, the one way takes `ratio` of what the other takes.
struct RatioAt {
  double share = 0;
  double ratio = 0;
};

/// The share from which on the ratio is above 1, on a straight line between the two measured shares
/// around it; 0 if it is so from the first one on, nothing if it is so nowhere. The shares rise.
[[nodiscard]] inline std::optional<double> crossover(const std::vector<RatioAt>& ratios) {
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    if (ratios[i].ratio <= 1) continue;
    if (i == 0) return 0;
    const RatioAt& last = ratios[i - 1];
    return last.share +
           (ratios[i].share - last.share) * (1 - last.ratio) / (ratios[i].ratio - last.ratio);
  }
  return std::nullopt;
}

}  // namespace cow_bench
