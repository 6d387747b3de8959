// Every system call of a fault fails in turn: the store succeeds all the same, or the process ends
// with SIGBUS after one line that says why. Never a wrong byte.

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "injection.hpp"
#include "injection_world.hpp"
#include "support.hpp"

using cow::Region;
using injection::Often;
using injection::Outcome;
using injection::Plan;
using injection::Tally;
using injection::What;
using injection::Window;
using injection::World;

namespace {

constexpr std::size_t new_region = 4;  // behind those that every world has

/// One store that faults.
struct Store {
  void (*prepare)(World&);
  std::size_t region;
  std::size_t page;
  std::size_t pages = 24;
  bool reserve_frames = false;
};

std::string hexadecimal(const void* address) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%" PRIxPTR, reinterpret_cast<std::uintptr_t>(address));
  return text;
}

/// What the line on stderr must say about the store, and whose bytes these are.
std::string announcement(Region& region, const std::byte* target) {
  const std::size_t page = region.page_bytes();
  const std::byte* const end = region.data() + (region.size() + page - 1) / page * page;
  return "the store to " + hexadecimal(target) + " in the region " + hexadecimal(region.data()) +
         "-" + hexadecimal(end) + " ";
}

std::string complaint_in(World& world, const Store& store, const Window& window) {
  cow::reinstall_handler();
  store.prepare(world);
  std::vector<std::byte>& plain = world.plain[store.region];
  Region& region = world.regions[store.region];
  const std::size_t at = store.page * region.page_bytes() + 77;
  window.announce(announcement(region, region.data() + at));
  const std::exception_ptr error =
      window.run([&] { *static_cast<volatile std::byte*>(region.data() + at) = std::byte{200}; });
  if (error) return "a store threw";
  plain[at] = std::byte{200};
  std::string wrong = world.complaint(window);
  if (!wrong.empty()) return "after the store: " + wrong;
  wrong = world.store_everywhere();
  if (wrong.empty()) wrong = world.complaint_about_unseen();
  return wrong.empty() ? world.drop_everything(window.refused("fallocate"))
                       : "after stores everywhere: " + wrong;
}

std::string complaint_about_store(const Store& store, const Window& window) {
  World world(store.pages, store.reserve_frames);
  return complaint_in(world, store, window);
}

/// The line names the store, and a call that was refused. A page that the kernel itself has taken
/// away cannot be read any more, so then it may be another call.
std::string judge(const Plan& plan, const Outcome& outcome) {
  std::string wrong = injection::judge_survivor_or_last_words(plan, outcome);
  if (!wrong.empty() || outcome.said.empty()) return wrong;
  if (outcome.said.find(outcome.announced) == std::string::npos) return "says: " + outcome.said;
  const std::vector<std::string> calls{"pwrite", "mmap", "mprotect", "fallocate"};
  const bool names_a_call = std::any_of(calls.begin(), calls.end(), [&](const std::string& call) {
    const bool refused = outcome.refused_calls.find(call) != std::string::npos;
    return (refused || plan.what == What::half_done) &&
           outcome.said.find(" " + call + " ") != std::string::npos;
  });
  return names_a_call ? "" : "names no call that was refused: " + outcome.said;
}

void check(const injection::Body& body) {
  Tally all;
  for (const What what : {What::system_call, What::half_done}) {
    for (const Often often : {Often::once, Often::from_then_on}) {
      all.add(injection::each_failure({what, often}, body, &judge));
    }
  }
  // Transfers that are cut short or interrupted are gone on with.
  for (const Plan& plan : injection::transfers) {
    all.add(injection::each_failure(plan, body, &injection::judge_survivor));
  }
  CHECK(all.text() == "");
  if (all.skipped.empty()) CHECK(all.runs > 0);
  if (!all.skipped.empty()) WARN("skipped: " << all.skipped);
}

void check(const Store& store) {
  check([&](const Window& window) { return complaint_about_store(store, window); });
}

void clone_region_0(World& world) { world.add(world.regions[0].clone()); }

void snapshot_of(World& world, std::size_t region, bool mapped) {
  world.keep(world.regions[region].snapshot(), world.plain[region], mapped);
}

}  // namespace

TEST_CASE("a store to a clone, among failures, succeeds or ends with one line", "[mm][handler]") {
  check({clone_region_0, new_region, 5});
}

TEST_CASE("a store to a region with a clone, among failures, succeeds or ends with one line",
          "[mm][handler]") {
  check({clone_region_0, 0, 5});
}

TEST_CASE("a store to a zero page, among failures, succeeds or ends with one line",
          "[mm][handler]") {
  check(
      {[](World& world) { world.add(Region::create(world.regions[0].size(), support::options())); },
       new_region, 5});
}

TEST_CASE("a store that leaves a snapshot a copy, among failures, succeeds or ends with one line",
          "[mm][handler]") {
  check({[](World& world) { snapshot_of(world, 2, false); }, 2, 5});
}

TEST_CASE("a store to a page a mapped snapshot shows, among failures, succeeds or ends so",
          "[mm][handler]") {
  check({[](World& world) { snapshot_of(world, 2, true); }, 2, 5});
}

TEST_CASE("a store by the sole owner, among failures, succeeds or ends with one line",
          "[mm][handler]") {
  check({[](World& world) { (void)world.regions[2].snapshot(); }, 2, 5});
}

TEST_CASE("a store to a page nobody touched, kept by a snapshot, among failures", "[mm][handler]") {
  check({[](World& world) { snapshot_of(world, 3, false); }, 3, 8});
}

TEST_CASE("a store to a page nobody touched, shared with a clone, among failures",
          "[mm][handler]") {
  check({[](World& world) { world.add(world.regions[3].clone()); }, 3, 8});
}

TEST_CASE("a window of pages that move, among failures, succeeds or ends with one line",
          "[mm][handler]") {
  check({[](World& world) {
           clone_region_0(world);
           for (std::size_t page = 0; page < 2; ++page) world.store(new_region, page, 50);
         },
         new_region, 2});
}

TEST_CASE("a window of pages that stay, among failures, succeeds or ends with one line",
          "[mm][handler]") {
  check({[](World& world) {
           for (std::size_t page = 0; page < 24; ++page) world.store(2, page, 50);
           snapshot_of(world, 2, false);
           for (std::size_t page = 0; page < 4; ++page) world.store(2, page, 51);
         },
         2, 4});
}

TEST_CASE("a store while mappings are short, among failures, succeeds or ends with one line",
          "[mm][handler]") {
  check({[](World& world) {
           clone_region_0(world);
           world.run_short_of_mappings();
         },
         new_region, 5, 540});
}

TEST_CASE("a store that leaves copies while mappings are short, among failures", "[mm][handler]") {
  check({[](World& world) {
           snapshot_of(world, 2, false);
           world.run_short_of_mappings();
         },
         2, 5, 540});
}

TEST_CASE("a store to a region whose homes are all in use, among failures", "[mm][handler]") {
  check({[](World& world) {
           for (int i = 0; i < 300; ++i) {
             world.extras.push_back(world.regions[0].clone());
             world.store(0, 5, static_cast<unsigned>(i));
           }
         },
         0, 6});
}

TEST_CASE("a store of a forked child, among failures, succeeds or ends with one line",
          "[mm][handler]") {
  World world(24);
  const Store stores[] = {{[](World&) {}, 0, 5}, {[](World&) {}, 3, 8}, {[](World&) {}, 1, 12}};
  for (const Store& store : stores) {
    check([&](const Window& window) { return complaint_in(world, store, window); });
  }
  CHECK(world.complaint() == "");
}

TEST_CASE("a store to a region with reserved frames, among failures", "[mm][handler]") {
  check({clone_region_0, new_region, 5, 24, true});
  check({[](World& world) { snapshot_of(world, 2, false); }, 2, 5, 24, true});
}

TEST_CASE("a recorded fault, among failures, succeeds or ends with one line", "[mm][handler]") {
  static cow::FaultRecord record[4];
  check({[](World& world) {
           clone_region_0(world);
           static const cow::FaultRecorder recorder(record, 4);
         },
         new_region, 5});
}

TEST_CASE("a fault allocates nothing", "[mm][handler]") {
  const auto body = [](const Window& window) {
    return complaint_about_store({clone_region_0, new_region, 5}, window);
  };
  const Tally tally =
      injection::each_failure({What::allocation, Often::from_then_on}, body, &judge);
  CHECK(tally.text() == "");
  CHECK(tally.runs == 0);
}
