#include "measure/experiments.hpp"

#include <vector>

namespace cow::measure {

std::span<const Experiment> experiments() {
  static const std::vector<Experiment> all = {};
  return all;
}

}  // namespace cow::measure
