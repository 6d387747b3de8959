// Snapshots of objects that are none yet: in rings and maps, and what they refuse in words.

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

#include <cow/managed_region.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using cow::ManagedRegion;
using cow::ManagedSnapshot;

static_assert(std::is_nothrow_default_constructible_v<ManagedSnapshot>);
static_assert(std::is_nothrow_default_constructible_v<ManagedRegion>);
static_assert(std::is_nothrow_move_constructible_v<ManagedSnapshot>);
static_assert(std::is_nothrow_move_assignable_v<ManagedSnapshot>);
static_assert(std::is_nothrow_swappable_v<ManagedSnapshot>);
static_assert(std::is_copy_assignable_v<ManagedSnapshot>);
static_assert(!std::is_convertible_v<ManagedSnapshot, bool>);

namespace {

constexpr std::size_t kib = std::size_t{1} << 10;

int value_in(const ManagedSnapshot& snapshot) { return *snapshot.find<int>("n").first; }

}  // namespace

TEST_CASE("snapshots of objects live in rings and maps", "[managed]") {
  ManagedRegion region = ManagedRegion::create(64 * kib, support::options());
  int& number = *region.construct<int>("n")(0);
  std::array<ManagedSnapshot, 8> ring;
  for (int round = 0; round < 20; ++round) {
    number = round;
    ring[static_cast<std::size_t>(round) % ring.size()] = region.snapshot();
  }
  for (int round = 12; round < 20; ++round) {
    CHECK(value_in(ring[static_cast<std::size_t>(round) % ring.size()]) == round);
  }

  std::map<std::string, ManagedSnapshot> by_name;
  CHECK_FALSE(by_name["none yet"]);
  by_name["oldest"] = ring[4];
  by_name["latest"] = ring[3];
  CHECK(value_in(by_name["oldest"]) == 12);
  region.restore(by_name["latest"]);
  CHECK(number == 19);
  region.restore(by_name["oldest"]);
  CHECK(number == 12);
}

TEST_CASE("an empty snapshot of objects takes nothing and says that it is empty", "[managed]") {
  const cow::ProcessStats before = cow::process_stats();
  const ManagedSnapshot none;
  const std::array<ManagedSnapshot, 8> snapshots;
  CHECK_FALSE(none);
  CHECK_FALSE(snapshots[7]);
  CHECK_FALSE(ManagedSnapshot(none));
  CHECK_FALSE(none.snapshot());
  CHECK(cow::process_stats().families == before.families);
  CHECK(cow::process_stats().bytes_in_use == before.bytes_in_use);
}

TEST_CASE("snapshots of objects are moved, swapped and emptied like those of bytes", "[managed]") {
  const cow::ProcessStats before = cow::process_stats();
  ManagedRegion region = ManagedRegion::create(64 * kib, support::options());
  region.construct<int>("n")(1);
  ManagedSnapshot one = region.snapshot();
  *region.find<int>("n").first = 2;
  ManagedSnapshot two = region.snapshot();
  one.swap(two);
  CHECK(value_in(one) == 2);
  swap(one, two);
  CHECK(value_in(one) == 1);
  ManagedSnapshot none;
  std::swap(none, one);
  CHECK_FALSE(one);
  CHECK(value_in(none) == 1);
  one = std::move(none);
  CHECK(value_in(one) == 1);
  CHECK_FALSE(none);  // NOLINT(bugprone-use-after-move): that is the test
  const ManagedSnapshot copy = one;
  one = {};
  CHECK_FALSE(one);
  CHECK(value_in(copy) == 1);
  two = ManagedSnapshot();
  region = {};
  CHECK(cow::process_stats().families == before.families + 1);  // that of the copy
}

TEST_CASE("whatever else is asked of an empty snapshot of objects is refused in a sentence",
          "[managed]") {
  ManagedRegion region = ManagedRegion::create(64 * kib, support::options());
  region.construct<int>("n")(1);
  const ManagedSnapshot made_empty;
  ManagedSnapshot moved_from = region.snapshot();
  const ManagedSnapshot taken = std::move(moved_from);
  for (const ManagedSnapshot* const each :
       {&made_empty, static_cast<const ManagedSnapshot*>(&moved_from)}) {
    const ManagedSnapshot& none = *each;
    const std::vector<std::function<void()>> calls{
        [&] { (void)none.find<int>("n"); },
        [&] { (void)none.named_begin(); },
        [&] { (void)none.named_end(); },
        [&] { (void)none.unique_begin(); },
        [&] { (void)none.get_num_named_objects(); },
        [&] { (void)none.get_num_unique_objects(); },
        [&] { (void)none.get_size(); },
        [&] { (void)none.get_free_memory(); },
        [&] { (void)none.check_sanity(); },
        [&] { (void)none.belongs_to_segment(&none); },
        [&] { (void)none.get_handle_from_address(&none); },
        [&] { (void)none.get_address_from_handle(0); },
        [&] { (void)none.get_address(); },
        [&] { region.restore(none); },
        [&] { (void)ManagedRegion::from_snapshot(none); },
        [&] { (void)ManagedSnapshot::open(none.snapshot()); },
    };
    for (std::size_t call = 0; call < calls.size(); ++call) {
      CAPTURE(call);
      const std::string words = support::words_of<std::logic_error>(calls[call]);
      CHECK(words.find("this snapshot is empty") != std::string::npos);
      CHECK(support::is_sentence(words));
    }
  }
  CHECK(value_in(taken) == 1);
  CHECK(*region.find<int>("n").first == 1);
}
