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

// What holds until calls of this process have told: the medians of what three runs had learnt from
// 300 calls of each kind after 0, 8 and 40 random stores to 64 MiB, in a virtual machine with two
// busy cores (docs/history.md), there a page to restore was a run by itself; of backups, 15 each of
// 0 to 256 MiB to ext4 on the same.
constinit Costs g_handler{
    {5'300, 52'500}, {27'800, 6'300}, {2'600, 2'700}, {190, 5'200}, {600'000, 3'000}};
constinit Costs g_kernel{
    {38'600, 4'300}, {239'000, 3'300}, {66'500, 780}, {180, 1'440}, {600'000, 3'000}};

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

Costs& costs(bool stores_fault) noexcept { return stores_fault ? g_handler : g_kernel; }

}  // namespace cow
