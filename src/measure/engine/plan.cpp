#include "measure/engine/plan.hpp"

#include <algorithm>

namespace cow::measure {

std::vector<Plan> plan(std::span<const Experiment> chosen, const Scale& scale) {
  std::vector<Plan> plans;
  for (const Experiment& experiment : chosen) {
    plans.push_back({&experiment, experiment.comparisons(scale)});
  }
  return plans;
}

void keep_mechanisms(std::vector<Plan>& plans, std::span<const std::string> mechanisms) {
  const auto is_left_out = [&](const Side& side) {
    return std::find(mechanisms.begin(), mechanisms.end(), side.mechanism) == mechanisms.end();
  };
  for (Plan& plan : plans) {
    for (Comparison& comparison : plan.comparisons) std::erase_if(comparison.sides, is_left_out);
    std::erase_if(plan.comparisons, [](const Comparison& c) { return c.sides.empty(); });
  }
  std::erase_if(plans, [](const Plan& plan) { return plan.comparisons.empty(); });
}

void keep_experiments(std::vector<Plan>& plans, std::span<const std::string> names) {
  std::erase_if(plans, [&](const Plan& plan) {
    return std::find(names.begin(), names.end(), plan.experiment->name) == names.end();
  });
}

}  // namespace cow::measure
