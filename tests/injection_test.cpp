// Every system call and every allocation of every control call fails in turn, once and from then
// on: the call throws and all is as it was, or it goes well without.

#include "injection.hpp"

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "injection_world.hpp"
#include "support.hpp"

using cow::CloneMode;
using cow::Region;
using injection::Judge;
using injection::Often;
using injection::Outcome;
using injection::Plan;
using injection::Scenario;
using injection::Tally;
using injection::What;
using injection::Window;
using injection::World;

namespace {

void check(const Scenario& scenario, const Judge& judge = &injection::judge_survivor,
           const std::vector<Plan>& plans = injection::all_plans()) {
  const Tally tally = injection::loop_over_call(
      plans,
      [&](const Window& window, bool stores_first) {
        return injection::complaint_about_call(scenario, window, stores_first);
      },
      judge);
  CHECK(tally.text() == "");
  if (tally.skipped.empty()) CHECK(tally.runs > 0);
  if (!tally.skipped.empty()) WARN("skipped: " << tally.skipped);
}

void nothing(World&) {}

void take_snapshot(World& world) { world.taken = world.regions[0].snapshot(); }
void take_quiescent(World& world) {
  world.taken = world.regions[0].snapshot(cow::SnapshotMode::quiescent);
}

/// What was made must show what `source` shows.
std::string take_over(World& world, const std::vector<std::byte>& source) {
  std::string wrong = support::broken_invariant(*world.made);
  if (wrong.empty()) wrong = support::difference(source, std::as_const(*world.made).bytes());
  world.add(std::move(*world.made));
  world.made.reset();
  return wrong;
}

// Where the kernel copies, the first of these calls replaces a region's only mapping: see
// filling.hpp. Where that was taken away for good, nothing else is left.
std::string judge_first(const Plan& plan, const Outcome& outcome) {
  const bool may_die =
      support::kernel_copies() && plan.what == What::half_done && plan.often == Often::from_then_on;
  return may_die ? injection::judge_survivor_or_last_words(plan, outcome)
                 : injection::judge_survivor(plan, outcome);
}

std::string verify_clone(World& world) { return take_over(world, world.plain[0]); }

std::string verify_snapshot(World& world) {
  world.keep(std::move(*world.taken), world.plain[0], false);
  world.taken.reset();
  return "";
}

}  // namespace

TEST_CASE("create among failures throws or makes a region of zeros", "[api]") {
  check({nothing,
         [](World& world) {
           world.made = Region::create(world.regions[0].size(), support::options());
         },
         [](World& world) {
           return take_over(world, std::vector<std::byte>(world.regions[0].size()));
         }});
}

TEST_CASE("a lazy clone among failures throws and changes nothing, or is right", "[api]") {
  check({nothing, [](World& world) { world.made = world.regions[0].clone(); }, verify_clone});
}

TEST_CASE("an eager clone among failures throws and changes nothing, or is right", "[api]") {
  check({nothing, [](World& world) { world.made = world.regions[0].clone(CloneMode::eager); },
         verify_clone});
}

TEST_CASE("a clone of a region in many pieces among failures throws, or is right", "[api]") {
  check({[](World& world) { world.break_into_pieces(16); },
         [](World& world) { world.made = world.regions[0].clone(); }, verify_clone});
}

TEST_CASE("a clone of a region of several leaves among failures throws, or is right", "[api]") {
  check({nothing, [](World& world) { world.made = world.regions[0].clone(); }, verify_clone, 540},
        &injection::judge_survivor,
        {{What::system_call, Often::once}, {What::half_done, Often::once}});
}

TEST_CASE("a clone that is made of copies, among failures, throws or is right", "[api]") {
  check({[](World& world) {
           world.break_into_pieces(8);
           world.run_short_of_mappings();
         },
         [](World& world) { world.made = world.regions[0].clone(); }, verify_clone});
}

TEST_CASE("a snapshot among failures throws and changes nothing, or is right", "[api]") {
  check({nothing, take_snapshot, verify_snapshot});
}

TEST_CASE("a region's first snapshot among failures throws and changes nothing, or is right",
          "[api]") {
  check({nothing, [](World& world) { world.taken = world.regions[3].snapshot(); },
         [](World& world) -> std::string {
           world.keep(std::move(*world.taken), world.plain[3], false);
           world.taken.reset();
           return "";
         }},
        &judge_first);
}

TEST_CASE("a snapshot's bytes, among failures, are refused or right", "[api]") {
  check({nothing, [](World& world) { (void)world.pasts[0].snapshot.bytes(); },
         [](World& world) -> std::string {
           world.pasts[0].mapped = true;
           return "";
         }});
}

TEST_CASE("a region from a snapshot, among failures, is refused or right", "[api]") {
  check({nothing, [](World& world) { world.made = Region::from_snapshot(world.pasts[1].snapshot); },
         [](World& world) { return take_over(world, world.pasts[1].bytes); }});
}

TEST_CASE("with a child that holds frames, a clone among failures throws, or is right", "[api]") {
  check({[](World& world) { world.hold_by_child(); },
         [](World& world) { world.made = world.regions[0].clone(); }, verify_clone});
}

namespace {

// A restore that can go neither on nor back ends the process, as a store would; where the kernel
// copies, only if it has taken a mapping away.
std::string last_words(const Plan& plan, const Outcome& outcome) {
  const bool may_die = !support::kernel_copies() || plan.what == What::half_done;
  return may_die ? injection::judge_survivor_or_last_words(plan, outcome)
                 : injection::judge_survivor(plan, outcome);
}

template <std::size_t Region, std::size_t Past>
void restore(World& world) {
  world.regions[Region].restore(world.pasts[Past].snapshot);
}

template <std::size_t Region, std::size_t Past>
std::string verify_restored(World& world) {
  world.plain[Region] = world.pasts[Past].bytes;
  return "";
}

void store_to_all_of_region_3(World& world) {
  world.keep(world.regions[3].snapshot(), world.plain[3], false);
  for (std::size_t page = 0; page < 24; ++page) world.store(3, page, 40);
}

}  // namespace

TEST_CASE("restore among failures throws and changes nothing, or is right", "[api]") {
  check({nothing, restore<0, 0>, verify_restored<0, 0>}, last_words);
}

TEST_CASE("restore to a mapped snapshot among failures throws, or is right", "[api]") {
  check({nothing, restore<0, 1>, verify_restored<0, 1>}, last_words);
}

TEST_CASE("restore to a relative's snapshot among failures throws, or is right", "[api]") {
  check({nothing, restore<2, 2>, verify_restored<2, 2>}, last_words);
}

TEST_CASE("restore of zero pages among failures throws, or is right", "[api]") {
  check({store_to_all_of_region_3, restore<3, 3>, verify_restored<3, 3>}, last_words);
}

TEST_CASE("restore of a region in many pieces among failures throws, or is right", "[api]") {
  check({[](World& world) { world.break_into_pieces(16); }, restore<0, 0>, verify_restored<0, 0>},
        last_words);
}

TEST_CASE("restore by copies among failures throws, or is right", "[api]") {
  check({[](World& world) {
           world.break_into_pieces(64);
           world.run_short_of_mappings();
         },
         restore<0, 0>, verify_restored<0, 0>, 64},
        last_words);
}

TEST_CASE("diff among failures throws, or names every page that differs", "[api]") {
  check({[](World& world) { world.keep(world.regions[2].snapshot(), world.plain[2], false); },
         [](World& world) {
           world.ranges = cow::diff(world.pasts[0].snapshot, world.pasts[3].snapshot);
         },
         [](World& world) -> std::string {
           std::vector<std::byte> changed = world.pasts[0].bytes;
           for (const cow::PageRange& range : world.ranges) {
             const std::size_t at = range.first_page * support::page_bytes();
             const std::size_t end = at + range.page_count * support::page_bytes();
             std::copy_n(world.pasts[3].bytes.begin() + static_cast<std::ptrdiff_t>(at),
                         std::min(end, changed.size()) - at,
                         changed.begin() + static_cast<std::ptrdiff_t>(at));
           }
           return support::difference(world.pasts[3].bytes, changed);
         }});
}

TEST_CASE("process_stats among failures throws, or tells what it tells otherwise", "[api]") {
  check({nothing, [](World& world) { world.process_stats = cow::process_stats(); },
         [](World& world) -> std::string {
           const cow::ProcessStats stats = cow::process_stats();
           const bool same = stats.regions == world.process_stats.regions &&
                             stats.families == world.process_stats.families &&
                             stats.bytes_in_use == world.process_stats.bytes_in_use &&
                             stats.mappings_in_use == world.process_stats.mappings_in_use;
           return same ? "" : "process_stats() tells something else";
         }});
}

TEST_CASE("reinstall_handler among failures throws, or puts libcow in front", "[api]") {
  check({[](World&) { std::signal(SIGSEGV, SIG_DFL); }, [](World&) { cow::reinstall_handler(); },
         [](World&) -> std::string {
           return cow::owns_sigsegv() ? "" : "libcow's action is not in front";
         },
         24, false});
}

TEST_CASE("a snapshot that has to put libcow in front first, among failures, throws or is right",
          "[api]") {
  check({[](World&) { std::signal(SIGSEGV, SIG_DFL); }, take_snapshot, verify_snapshot, 24, false});
}

TEST_CASE("regions and snapshots that go, among failures, take nothing from the others", "[api]") {
  check({[](World& world) { world.break_into_pieces(16); },
         [](World& world) {
           world.pasts.erase(world.pasts.begin(), world.pasts.begin() + 2);
           world.regions.erase(world.regions.begin() + 1, world.regions.begin() + 3);
         },
         [](World& world) -> std::string {
           world.plain.erase(world.plain.begin() + 1, world.plain.begin() + 3);
           return "";
         }});
}

TEST_CASE("a family that goes, among failures, takes nothing from another", "[api]") {
  check({nothing, [](World& world) { world.regions.pop_back(); },
         [](World& world) -> std::string {
           world.plain.pop_back();
           return "";
         }});
}

TEST_CASE("the first region of a process, among failures, is refused or right", "[api]") {
  const Tally tally = injection::loop_over_call(
      injection::all_plans(),
      [](const Window& window, bool) -> std::string {
        std::optional<Region> region;
        const auto create = [&] { region = Region::create(9000, support::options()); };
        const std::exception_ptr error = window.run(create);
        std::string wrong = error ? injection::complaint_about(error) : "";
        if (error) create();
        support::store(*region, 0, 1);
        return wrong.empty() ? support::broken_invariant(*region) : wrong;
      },
      &injection::judge_survivor);
  CHECK(tally.text() == "");
  if (tally.skipped.empty()) CHECK(tally.runs > 0);
}

TEST_CASE("a lease among failures is refused and changes nothing, or holds", "[api]") {
  check({nothing,
         [](World& world) {
           const std::size_t page = support::page_bytes();
           world.leases.push_back(world.regions[0].write_lease(3 * page + 7, 8 * page));
         },
         [](World&) -> std::string { return ""; }},
        last_words);
}

namespace {

void lease_some(World& world) {
  const std::size_t page = support::page_bytes();
  world.leases.push_back(world.regions[0].write_lease(3 * page + 7, 8 * page));
}

}  // namespace

TEST_CASE("with a lease, a snapshot among failures throws or is right", "[api]") {
  check({lease_some, take_snapshot, verify_snapshot});
}

TEST_CASE("with a lease, a clone among failures throws or is right", "[api]") {
  check({lease_some, [](World& world) { world.made = world.regions[0].clone(); }, verify_clone});
}

TEST_CASE("with a lease, restore among failures throws and changes nothing, or is right", "[api]") {
  check({lease_some, restore<0, 0>, verify_restored<0, 0>}, last_words);
}

// Hot pages: stored to before and after a quiescent snapshot.
void warm_up(World& world) {
  for (unsigned round = 1; round <= 3; ++round) {
    for (const std::size_t page : {0u, 1u, 5u}) world.store(0, page, round);
    world.keep(world.regions[0].snapshot(cow::SnapshotMode::quiescent),
               support::plain_copy(world.regions[0].bytes()), false);
  }
}

TEST_CASE("a quiescent snapshot among failures throws or is right, and hot pages stay writable",
          "[api]") {
  check({warm_up, take_quiescent, verify_snapshot});
}

// Hot pages in two leaves, whose copies go to frames that lie apart.
void warm_up_in_pieces(World& world) {
  std::vector<cow::Snapshot> dropped;
  for (unsigned round = 1; round <= 8; ++round) {
    world.store(0, 20, 2 * round);
    cow::Snapshot snapshot = world.regions[0].snapshot();
    const std::vector<std::byte> bytes = support::plain_copy(world.regions[0].bytes());
    world.store(0, 20, 2 * round + 1);  // takes a frame that only this snapshot has
    if (round % 2 == 0) {
      world.keep(std::move(snapshot), bytes, false);
    } else {
      dropped.push_back(std::move(snapshot));
    }
  }
  for (unsigned round = 1; round <= 3; ++round) {
    dropped.push_back(world.regions[0].snapshot(cow::SnapshotMode::quiescent));
    for (const std::size_t page : {0u, 2u, 4u, 6u, 8u, 592u, 594u}) world.store(0, page, round);
  }
}

TEST_CASE("a quiescent snapshot whose copies lie apart, among failures, throws or is right",
          "[api]") {
  check({warm_up_in_pieces, take_quiescent, verify_snapshot, 600}, &injection::judge_survivor,
        {{What::system_call, Often::once},
         {What::system_call, Often::from_then_on},
         {What::short_transfer, Often::once}});
}

// The first restore to one snapshot is like any other, the second makes a list of hot pages.
void begin_loop(World& world) {
  restore<0, 0>(world);
  (void)verify_restored<0, 0>(world);
  for (const std::size_t page : {0u, 1u, 5u, 20u}) world.store(0, page, 41);
}

TEST_CASE("a rollback loop among failures throws and changes nothing, or is right", "[api]") {
  check({begin_loop, restore<0, 0>, verify_restored<0, 0>}, last_words);
}

TEST_CASE("with reserved frames, create, clone and snapshot among failures throw or are right",
          "[api]") {
  check({nothing, [](World& world) { world.made = world.regions[0].clone(); }, verify_clone, 24,
         true, true});
  check({nothing, take_snapshot, verify_snapshot, 24, true, true});
}

TEST_CASE("in a forked child, control calls among failures throw and change nothing, or are right",
          "[api]") {
  World world(24);
  const Scenario scenarios[] = {
      {nothing, [](World& child) { child.made = child.regions[0].clone(); }, verify_clone},
      {nothing, take_snapshot, verify_snapshot},
      {nothing, restore<0, 0>, verify_restored<0, 0>},
  };
  for (const Scenario& scenario : scenarios) {
    const Tally tally = injection::loop_over_call(
        injection::all_plans(),
        [&](const Window& window, bool stores_first) {
          cow::reinstall_handler();
          return injection::complaint_in(world, scenario, window, stores_first);
        },
        last_words);
    CHECK(tally.text() == "");
  }
  CHECK(world.complaint() == "");
}
