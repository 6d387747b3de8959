#include "fault_parts.hpp"

#include <array>

#include "measure/experiments/first_stores.hpp"

namespace cow_bench {

std::vector<std::pair<std::string_view, const Samples*>> FaultParts::in_order() const {
  return {{"delivery", &delivery}, {"locate", &locate}, {"allocate", &allocate},
          {"copy", &copy},         {"map", &map},       {"return", &back}};
}

void FaultParts::add(const FaultParts& others) {
  delivery.add(others.delivery);
  locate.add(others.locate);
  allocate.add(others.allocate);
  copy.add(others.copy);
  map.add(others.map);
  back.add(others.back);
  total.add(others.total);
}

FaultParts record_faults(cow::measure::TimedFaults& clones, std::span<const std::size_t> which) {
  clones.begin();
  cow::measure::TurnResult timed = cow::measure::time_first_stores(clones, which, 2);
  clones.end();
  FaultParts parts;
  const std::array<Samples*, 6> in_order = {&parts.delivery, &parts.locate, &parts.allocate,
                                            &parts.copy,     &parts.map,    &parts.back};
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    *in_order[i] = Samples(std::move(timed.parts.at(i).values));
  }
  parts.total = Samples(std::move(timed.samples));
  return parts;
}

}  // namespace cow_bench
