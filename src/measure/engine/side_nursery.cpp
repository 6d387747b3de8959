#include "measure/engine/side_nursery.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "measure/engine/side_process.hpp"

namespace cow::measure {
namespace {

std::string request_of(std::string_view experiment, std::string_view workload,
                       std::string_view mechanism) {
  return nlohmann::json::array({experiment, workload, mechanism}).dump();
}

const Side& side_of(const std::vector<Plan>& plans, const std::string& request) {
  for (const Plan& plan : plans) {
    for (const Comparison& comparison : plan.comparisons) {
      for (const Side& side : comparison.sides) {
        if (request_of(plan.experiment->name, comparison.workload, side.mechanism) == request) {
          return side;
        }
      }
    }
  }
  throw std::logic_error("no plan has the side " + request);
}

}  // namespace

SideNursery::SideNursery(std::span<const Plan> plans)
    : nursery_([plans = std::vector<Plan>(plans.begin(), plans.end())](const std::string& request,
                                                                       const Channel& channel) {
        serve_side(side_of(plans, request), channel);
      }) {}

std::unique_ptr<ChildProcess> SideNursery::make(std::string_view experiment,
                                                std::string_view workload,
                                                std::string_view mechanism,
                                                std::optional<int> processor) {
  return nursery_.make(request_of(experiment, workload, mechanism), processor);
}

}  // namespace cow::measure
