#include "mm/resources/costs.hpp"

#include <algorithm>

namespace cow {

namespace {

// One report in eight, so that some calls are enough to follow the machine.
constexpr double kShare = 1.0 / 8;
// No call takes less, whatever part of it was counted elsewhere: an average of nothing would grow
// no more.
constexpr double kLeastNs = 100;
// What is further off was interrupted: it counts as this much, so that a real change gets through.
constexpr double kMostTimes = 8;

void follow(std::atomic<double>& average, double seen) noexcept {
  const double before = average.load(std::memory_order_relaxed);
  const double bounded = std::clamp(seen, before / kMostTimes, before * kMostTimes);
  average.store(before + (bounded - before) * kShare, std::memory_order_relaxed);
}

}  // namespace

// The floor is told by calls that touch next to nothing, the price of a unit by those that touch
// enough to be told from the floor.
void CostAverage::note(std::uint64_t units, std::uint64_t took_ns) noexcept {
  const double took = std::max(static_cast<double>(took_ns), kLeastNs);
  const double floor = floor_ns();
  const double rest = took - floor;
  if (units == 0) {
    follow(floor_ns_, took);
  } else if (rest > 0 && rest > floor / 4) {
    follow(unit_ns_, rest / static_cast<double>(units));
  } else {
    follow(floor_ns_, std::max(took - static_cast<double>(units) * unit_ns(), took / 2));
  }
  notes_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace cow
