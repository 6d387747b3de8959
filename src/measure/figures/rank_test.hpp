#pragma once

// The rank test: how probable two sets of samples are if they are of one distribution.

#include <cstddef>
#include <span>

namespace cow::measure {

/// What counts as seen: a probability below this.
inline constexpr double significance = 0.05;

/// The two-sided probability of Mann and Whitney's test ("On a test of whether one of two random
/// variables is stochastically larger than the other", Annals of Mathematical Statistics 18, 1947).
/// Exact for up to 30 samples a side without ties; otherwise by the normal distribution, corrected
/// for ties and continuity, and never below what the exact test could give at most.
[[nodiscard]] double rank_test(std::span<const double> ours, std::span<const double> theirs);

/// What the test gives for so many samples if all of one side are below all of the other.
[[nodiscard]] double least_probability(std::size_t our_count, std::size_t their_count);

/// Whether so many samples can be told apart at all, however they differ. 4 and 4 can.
[[nodiscard]] bool are_enough(std::size_t our_count, std::size_t their_count);

}  // namespace cow::measure
