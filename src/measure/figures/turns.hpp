#pragma once

// Samples of one turn share a frequency, a cache and what was allocated, and say less than as many
// that are independent. What is said of a row's samples is therefore said by turns.

#include <cstddef>
#include <string>
#include <vector>

#include "measure/figures/statistics.hpp"
#include "measure/result.hpp"

namespace cow::measure {

/// Of the turns that have samples, in their order. Throws std::invalid_argument if the samples are
/// not as many as the turns say.
[[nodiscard]] std::vector<double> turn_medians(const Row& row);

/// How many independent values there are: turns, or samples where each is a turn by itself.
[[nodiscard]] std::size_t count_of_turns(const Row& row);

/// The interval that holds the median of all samples with 95 %. Where turns have several samples it
/// is the bootstrap of clusters: whole turns are drawn, as many as there are (Davison and Hinkley,
/// "Bootstrap Methods and their Application", 1997, section 3.8). That is too narrow for few turns,
/// and so it also takes in the interval of the turns' medians. Otherwise as of samples.
[[nodiscard]] Interval median_interval(const Row& row);

/// The rank test and the ratio's interval are of the turns' medians; the ratio is of the medians of
/// all samples, and the interval takes it in.
[[nodiscard]] Against compare(const Row& ours, const Row& theirs);

/// Whether so many turns can be told apart at all.
[[nodiscard]] bool are_enough(const Row& ours, const Row& theirs);

/// "3 turns", "1 sample": what are_enough() counts.
[[nodiscard]] std::string count_words(const Row& row);

}  // namespace cow::measure
