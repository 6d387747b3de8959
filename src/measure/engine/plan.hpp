#pragma once

// What is to be measured.

#include <span>
#include <string>
#include <vector>

#include "measure/experiment.hpp"

namespace cow::measure {

/// An experiment and what it compares.
struct Plan {
  const Experiment* experiment;
  std::vector<Comparison> comparisons;
};

/// Asks each experiment for its comparisons; what it throws is thrown.
[[nodiscard]] std::vector<Plan> plan(std::span<const Experiment> chosen, const Scale& scale);

/// Leaves out other mechanisms, and comparisons and experiments in which none is left.
void keep_mechanisms(std::vector<Plan>& plans, std::span<const std::string> mechanisms);

/// Leaves out other experiments.
void keep_experiments(std::vector<Plan>& plans, std::span<const std::string> names);

}  // namespace cow::measure
