// Somebody else has used up the kernel's mappings. Stores, clones and restores go on; only a clone
// for which there is not one mapping left may be refused.

#include <unistd.h>

#include <cow/cow.hpp>

#include <atomic>
#include <barrier>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "crew.hpp"
#include "eaten_mappings.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "os/signal_mask.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;
using support::EatenMappings;
using support::spared_by_all;

constexpr std::size_t pages = 2000;

}  // namespace

TEST_CASE("a store to a new region finds a mapping when others have used up all", "[mm]") {
  const auto result = support::run_in_child([]() -> std::string {
    Region region = Region::create(pages * support::page_bytes(), support::options());
    const EatenMappings eaten(spared_by_all);
    support::store(region, pages / 2, 7);
    support::store(region, 3, 8);
    if (support::load(region.bytes(), pages / 2) != 7) return "a store is lost";
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a store that finds no mapping at all waits until others have given some back",
          "[fault]") {
  if (support::is_emulated()) {
    WARN("skipped: the emulator starts no threads in a child of a process that has had some");
    return;
  }
  const auto result = support::run_in_child([]() -> std::string {
    Region original = Region::create(pages * support::page_bytes(), support::options());
    support::fill(original.bytes(), 1);
    Region clone = original.clone();
    std::optional<EatenMappings> eaten;
    std::optional<EatenMappings> rest;
    std::atomic<bool> stores{false};
    std::jthread other([&] {
      stores.wait(false);
      ::usleep(20'000);
      rest.reset();
    });
    eaten.emplace(support::spared_for_heap());
    {
      const cow::os::SignalsMasked signals;
      cow::mapping_budget::note_exhausted();  // what libcow had in reserve
    }
    rest.emplace(support::spared_for_heap());
    stores = true;
    stores.notify_one();
    support::store(clone, pages / 2, 7);
    other.join();
    if (support::load(clone.bytes(), pages / 2) != 7) return "the store is lost";
    return support::shows(original.bytes(), 1) ? "" : "the original changed";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("scattered stores to a clone go on when others have used up the mappings", "[mm]") {
  const auto result = support::run_in_child([]() -> std::string {
    Region original = Region::create(pages * support::page_bytes(), support::options());
    support::fill(original.bytes(), 1);
    Region clone = original.clone();
    std::vector<std::byte> expected = support::plain_copy(clone.bytes());
    const EatenMappings eaten(spared_by_all);
    for (std::size_t i = 0; i < pages; i += 7) {
      support::store(clone, i * 13 % pages, 5);
      expected[i * 13 % pages * support::page_bytes()] = std::byte{5};
    }
    if (!support::shows(original.bytes(), 1)) return "the original changed";
    const std::string difference = support::difference(expected, clone.bytes());
    return difference.empty() ? support::broken_invariant(clone) : difference;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a region in many pieces is restored when others have used up the mappings", "[mm]") {
  const auto result = support::run_in_child([]() -> std::string {
    Region region = Region::create(pages * support::page_bytes(), support::options());
    support::fill(region.bytes(), 1);
    std::vector<Snapshot> snapshots;
    std::vector<std::vector<std::byte>> expected;
    for (unsigned round = 0; round < 4; ++round) {
      snapshots.push_back(region.snapshot());
      expected.push_back(support::plain_copy(region.bytes()));
      for (std::size_t page = round; page < pages; page += 5)
        support::store(region, page, round + 9);
    }
    const Snapshot last = region.snapshot();
    const EatenMappings eaten(200);
    for (std::size_t i = snapshots.size(); i-- > 0;) {
      region.restore(snapshots[i]);
      const std::string difference = support::difference(expected[i], region.bytes());
      if (!difference.empty()) return difference;
      if (!cow::diff(region.snapshot(), snapshots[i]).empty()) return "a restored page differs";
    }
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a shortage of mappings that has passed is noticed by a later control call",
          "[mm][handler]") {
  const auto result = support::run_in_child([]() -> std::string {
    Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
    support::fill(region.bytes(), 1);
    const std::size_t plenty = cow::process_stats().mapping_budget / 2;
    Region clone = region.clone();
    {
      const EatenMappings eaten(spared_by_all + 100);  // page tables need some
      for (std::size_t page = 0; page < pages; page += 2) support::store(clone, page, 2);
      (void)clone.snapshot();
      if (cow::process_stats().mapping_budget > plenty) return "nothing was short";
    }
    for (int attempt = 0; attempt < 400; ++attempt) {
      (void)region.snapshot();
      if (cow::process_stats().mapping_budget > plenty) return "";
      ::usleep(50'000);
    }
    return "mappings are short for ever";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("threads that find the mappings used up at the same moment all go on", "[mm]") {
  if (support::is_emulated()) {
    WARN("skipped: the emulator starts no threads in a child of a process that has had some");
    return;
  }
  constexpr std::size_t threads = 8;
  constexpr std::size_t leaf = 512;
  for (std::size_t round = 0; round < support::scaled(20); ++round) {
    const auto result = support::run_in_child([]() -> std::string {
      Region original =
          Region::create(2 * threads * leaf * support::page_bytes(), support::options());
      support::fill(original.bytes(), 1);
      Region clone = original.clone();
      std::barrier<> eaten_now(threads + 1);
      support::Crew crew;
      for (std::size_t i = 0; i < threads; ++i) {
        crew.run([&, i] {
          eaten_now.arrive_and_wait();
          for (std::size_t n = 0; n < 40; ++n) {
            support::store(clone, (2 * i + n % 2) * leaf + n * 101 % leaf, 5);
          }
        });
      }
      {
        const EatenMappings eaten(support::spared_for_threads());
        eaten_now.arrive_and_wait();
        crew.join();
      }
      for (std::size_t i = 0; i < threads; ++i) {
        if (support::load(clone.bytes(), 2 * i * leaf) != 5) return "a store is lost";
      }
      if (!support::shows(original.bytes(), 1)) return "the original changed";
      return support::broken_invariant(clone);
    });
    REQUIRE(result.complaint == "");
    REQUIRE(result.exited());
  }
}
