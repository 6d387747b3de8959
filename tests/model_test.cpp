// Random operations on a forest of regions and snapshots, held against plain vectors of bytes: see
// forest.hpp.

#include <algorithm>
#include <new>
#include <string>
#include <system_error>

#include "catch.hpp"
#include "eaten_mappings.hpp"
#include "forest.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "support.hpp"

using support::Forest;

namespace {

/// A step while somebody else has every mapping that libcow has not. It may be refused, or the
/// test's own copy of a region's bytes be, only if libcow's own are next to none by then.
std::string step_without_mappings(Forest& forest) {
  const support::EatenMappings eaten(support::spared_for_heap());
  const auto complaint_of = [&](const std::exception& error, bool is_for_memory) -> std::string {
    const std::size_t own = cow::process_stats().mappings_in_use;
    const std::size_t few = 16 * forest.address_spaces();
    if (is_for_memory && own <= few) return "";
    return std::string(error.what()) + ", and " + std::to_string(own) + " mappings are libcow's";
  };
  try {
    return forest.step();
  } catch (const std::system_error& error) {
    return complaint_of(error, error.code() == std::errc::not_enough_memory);
  } catch (const std::bad_alloc& error) {
    return complaint_of(error, true);
  }
}

}  // namespace

TEST_CASE("random operations on a forest of regions and snapshots match plain copies of bytes",
          "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  constexpr std::size_t rounds = 20;
  const std::size_t steps_a_round = support::scaled(120000 / rounds);
  for (std::size_t round = 0; round < rounds; ++round) {
    const cow::ProcessStats before = cow::process_stats();
    Forest forest(seed + round);
    if (round % 2 == 1) forest.make_backups();
    if (round % 4 >= 2) forest.set_limits();
    for (std::size_t step = 0; step < steps_a_round; ++step) {
      std::string complaint = forest.step();
      if (complaint.empty() && step % 97 == 0) complaint = forest.sweep();
      if (complaint.empty() && step % 53 == 0) complaint = forest.count_mappings();
      if (!complaint.empty()) {
        const std::string operation = forest.last_operation();
        CAPTURE(round, step, operation);
        REQUIRE(complaint == "");
      }
    }
    REQUIRE(forest.fell() == "");
    const cow::ProcessStats after = cow::process_stats();
    REQUIRE(after.families == before.families);
    REQUIRE(after.bytes_in_use == before.bytes_in_use);
    REQUIRE(after.mappings_in_use == before.mappings_in_use);
    REQUIRE(after.bytes_metadata == before.bytes_metadata);
  }
}

// What keeps the model above from finding that mappings run out: its regions are a few pages long,
// and there is room for thousands like them.
TEST_CASE("random operations on a large forest go on to the end with a few hundred mappings",
          "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const std::size_t pages = std::max<std::size_t>(
      24, std::min<std::size_t>(1500, (std::size_t{8} << 20) / support::page_bytes()));
  for (const std::size_t left : {0u, 300u, 700u, 2000u}) {
    CAPTURE(left);
    const auto result = support::run_in_child([&]() -> std::string {
      Forest forest(seed + left, pages);
      forest.look_at_mappings_every(50);
      (void)forest.step();  // libcow's reserve is taken before the others take theirs
      // What libcow leaves for the rest of the process comes on top.
      const support::EatenMappings eaten(std::min<std::size_t>(2048, support::max_map_count() / 8) +
                                         left);
      cow::mapping_budget::measure();
      for (std::size_t step = 0; step < support::scaled(1000); ++step) {
        std::string complaint = step % 40 == 20 ? step_without_mappings(forest) : forest.step();
        if (complaint.empty() && step % 31 == 0) complaint = forest.sweep();
        if (complaint.empty() && step % 150 == 0) complaint = forest.count_mappings();
        if (!complaint.empty()) {
          return "step " + std::to_string(step) + ", " + forest.last_operation() + ": " + complaint;
        }
      }
      return forest.fell();
    });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}
