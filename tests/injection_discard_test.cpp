// Every system call and every allocation of a discard fails in turn, once and from then on.

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "catch.hpp"
#include "injection.hpp"
#include "injection_world.hpp"
#include "support.hpp"

using injection::Scenario;
using injection::Tally;
using injection::Window;
using injection::World;

namespace {

void check(const Scenario& scenario) {
  const Tally tally = injection::loop_over_call(
      injection::all_plans(),
      [&](const Window& window, bool stores_first) {
        return injection::complaint_about_call(scenario, window, stores_first);
      },
      // What can go neither on nor back ends the process, as a store would.
      &injection::judge_survivor_or_last_words);
  CHECK(tally.text() == "");
  if (tally.skipped.empty()) CHECK(tally.runs > 0);
  if (!tally.skipped.empty()) WARN("skipped: " << tally.skipped);
}

void nothing(World&) {}

void lease_some(World& world) {
  const std::size_t page = support::page_bytes();
  world.leases.push_back(world.regions[0].write_lease(3 * page + 7, 8 * page));
}

template <std::size_t Region>
void discard(World& world) {
  const std::size_t page = support::page_bytes();
  world.regions[Region].discard(2 * page, 15 * page);
}

template <std::size_t Region>
std::string verify_discarded(World& world) {
  const auto page = static_cast<std::ptrdiff_t>(support::page_bytes());
  std::vector<std::byte>& plain = world.plain[Region];
  std::fill(plain.begin() + 2 * page, plain.begin() + 17 * page, std::byte{0});
  return "";
}

}  // namespace

TEST_CASE("discard among failures throws and changes nothing, or is right", "[mm]") {
  check({nothing, discard<0>, verify_discarded<0>});
  check({nothing, discard<1>, verify_discarded<1>});
}

TEST_CASE("discard short of mappings, among failures, throws and changes nothing, or is right",
          "[mm]") {
  check({[](World& world) {
           world.break_into_pieces(16);
           world.run_short_of_mappings();
         },
         discard<0>, verify_discarded<0>});
}

TEST_CASE("with a lease, discard among failures throws and changes nothing, or is right", "[mm]") {
  check({lease_some, discard<0>, verify_discarded<0>});
}
