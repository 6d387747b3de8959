// Estimates of what a control call would take: they follow the counts of what it would touch, and
// the averages are fed by the calls. Nothing here is about time itself.

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "mm/fault/handler_copies.hpp"
#include "mm/resources/costs.hpp"
#include "mm/space/address_space.hpp"
#include "mm/watch/kernel_copies.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::chrono::nanoseconds kNothing{0};

Region filled(std::size_t pages, std::uint64_t pattern) {
  return support::filled(pages, pattern, support::single_page_options());
}

cow::Costs& costs_now() {
  return (support::kernel_copies() ? cow::kernel_copies() : cow::handler_copies()).costs();
}

std::int64_t floor_of(const cow::CostAverage& average) {
  return static_cast<std::int64_t>(average.floor_ns());
}

}  // namespace

TEST_CASE("an average begins with its constants and follows what it is told", "[mm]") {
  cow::CostAverage average(1000, 10);
  CHECK(average.estimate_ns(0) == 1000);
  CHECK(average.estimate_ns(100) == 2000);
  for (int i = 0; i < 200; ++i) average.note(0, 500);
  CHECK(average.floor_ns() > 499);
  CHECK(average.floor_ns() < 510);
  for (int i = 0; i < 200; ++i) average.note(1000, 500 + 1000 * 40);
  CHECK(average.unit_ns() > 39);
  CHECK(average.unit_ns() < 41);
  CHECK(average.notes() == 400);
}

TEST_CASE(
    "one call that was interrupted moves an average little, a lasting change moves it all the "
    "way",
    "[mm]") {
  cow::CostAverage average(1000, 10);
  average.note(0, 1'000'000'000);
  CHECK(average.floor_ns() <= 2000);
  for (int i = 0; i < 100; ++i) average.note(0, 50'000);
  CHECK(average.floor_ns() > 49'000);
  CHECK(average.floor_ns() < 51'000);
}

TEST_CASE("the estimate of a snapshot is the floor where nothing was stored, and grows with it",
          "[mm]") {
  const std::size_t leaf = 512;
  Region region = filled(40 * leaf, 1);
  const Snapshot snapshot = region.snapshot();
  const auto floor = region.estimate();
  CHECK(floor.snapshot.count() == floor_of(costs_now().snapshot));
  CHECK(floor.clone > kNothing);
  auto before = floor;
  for (std::size_t leaves = 5; leaves <= 40; leaves += 5) {
    for (std::size_t i = leaves - 5; i < leaves; ++i) support::flip(region, i * leaf);
    const auto now = region.estimate();
    CHECK(now.snapshot > before.snapshot);
    CHECK(now.clone > before.clone);
    before = now;
  }
}

TEST_CASE("the estimate of a restore is the floor for what is there already, and grows", "[mm]") {
  Region region = filled(2000, 1);
  const Snapshot snapshot = region.snapshot();
  CHECK(region.estimate_restore(snapshot).count() == floor_of(costs_now().restore));
  auto before = region.estimate_restore(snapshot);
  for (std::size_t pages = 50; pages <= 500; pages += 50) {
    for (std::size_t page = pages - 50; page < pages; ++page) support::flip(region, 3 * page);
    const auto now = region.estimate_restore(snapshot);
    CHECK(now > before);
    before = now;
  }
  // Pages that were copied back count until nobody has stored to them for some rounds: until then
  // each restore looks at them.
  for (int round = 0; round < 40; ++round) region.restore(snapshot);
  CHECK(region.estimate_restore(snapshot).count() == floor_of(costs_now().restore));
  const Region other = filled(3, 1);
  CHECK_THROWS_AS(other.estimate_restore(snapshot), std::invalid_argument);
}

TEST_CASE("the estimate of a drop is the floor for what others share, and grows", "[mm]") {
  Region region = filled(600, 1);
  const Snapshot snapshot = region.snapshot();
  CHECK(snapshot.estimate_drop().count() == floor_of(costs_now().drop));
  support::fill(region.bytes().first(100 * region.page_bytes()), 2);
  support::settle(region);
  const auto some = snapshot.estimate_drop();
  CHECK(some.count() > floor_of(costs_now().drop));
  support::fill(region.bytes(), 3);
  support::settle(region);
  CHECK(snapshot.estimate_drop() > some);
}

TEST_CASE("pages side by side are estimated to be restored for less than as many apart", "[mm]") {
  Region region = filled(600, 1);
  const Snapshot snapshot = region.snapshot();
  for (std::size_t page = 0; page < 60; ++page) support::flip(region, page);
  support::settle(region);
  const auto side_by_side = region.estimate_restore(snapshot);
  region.restore(snapshot);
  for (std::size_t page = 0; page < 60; ++page) support::flip(region, 10 * page);
  support::settle(region);
  CHECK(region.estimate_restore(snapshot) > side_by_side);
}

TEST_CASE("each call feeds its average", "[mm]") {
  Region region = filled(600, 1);
  const cow::Costs& costs = costs_now();
  const auto notes = [&] {
    return std::vector<std::uint64_t>{costs.snapshot.notes(), costs.clone.notes(),
                                      costs.restore.notes(), costs.drop.notes()};
  };
  const std::vector<std::uint64_t> before = notes();
  for (int i = 0; i < 10; ++i) {
    Snapshot snapshot = region.snapshot();
    support::flip(region, 3);
    const Region clone = region.clone();
    region.restore(snapshot);
  }
  const std::vector<std::uint64_t> after = notes();
  CHECK(after[0] == before[0] + 10);
  CHECK(after[1] == before[1] + 10);
  CHECK(after[2] > before[2]);  // some restores of many
  CHECK(after[3] == before[3] + 10);
}

TEST_CASE("an estimate takes no frame, protects nothing and makes no store fault", "[mm]") {
  Region region = filled(700, 1);
  const Snapshot snapshot = region.snapshot();
  for (std::size_t page = 0; page < 20; ++page) support::flip(region, 30 * page);
  const cow::ProcessStats before = cow::process_stats();
  const std::uint64_t protections = cow::protections();
  (void)region.estimate();
  (void)region.estimate_restore(snapshot);
  (void)snapshot.estimate_drop();
  for (std::size_t page = 0; page < 20; ++page) support::flip(region, 30 * page);
  const cow::ProcessStats after = cow::process_stats();
  CHECK(cow::protections() == protections);
  CHECK(after.faults == before.faults);
  CHECK(after.bytes_in_use == before.bytes_in_use);
  CHECK(after.mappings_in_use == before.mappings_in_use);
  CHECK(after.bytes_metadata == before.bytes_metadata);
}
