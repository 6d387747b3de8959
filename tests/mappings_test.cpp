// Kernel mappings: how few a region needs, that they are counted right, and that running short of
// them never stops a store.

#include "catch.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;

namespace {

/// The word that page `page` of member `member` begins with in the large tests.
std::uint64_t stamp(std::size_t member, std::size_t page) {
  return (static_cast<std::uint64_t>(member + 1) << 40) | (page + 1);
}

void store_stamp(Region& region, std::size_t member, std::size_t page) {
  volatile std::uint64_t* word = &support::word_at(region, page);
  *word = stamp(member, page);
}

/// Pages that do not begin with the stamp of `owner(page)`.
template <typename Owner>
std::size_t wrong_pages(std::span<const std::byte> bytes, Owner owner) {
  std::size_t wrong = 0;
  for (std::size_t page = 0; page < bytes.size() / support::page_bytes(); ++page) {
    const std::uint64_t seen = support::read_word(bytes, page * support::page_bytes());
    wrong += seen != stamp(owner(page), page);
  }
  return wrong;
}

Region stamped(std::size_t size, std::size_t member) {
  Region region = Region::create(size, support::options());
  for (std::size_t page = 0; page < size / region.page_bytes(); ++page) {
    store_stamp(region, member, page);
  }
  return region;
}

}  // namespace

TEST_CASE("a clone overwritten from end to end adds at most four mappings, whatever its size",
          "[mm]") {
  const std::size_t page = support::page_bytes();
  std::vector<std::size_t> sizes{page,       3 * page,        64 * page,
                                 513 * page, 2000 * page + 1, support::large_region_bytes(3)};
  for (const std::size_t size : sizes) {
    const bool backwards = size % (2 * page) == page;
    CAPTURE(size, backwards);
    Region original = stamped(size, 0);
    Region clone = original.clone();
    const std::size_t before = support::count_process_mappings();
    const std::size_t counted_before = cow::process_stats().mappings_in_use;
    const std::size_t pages = size / page;
    for (std::size_t i = 0; i < pages; ++i) store_stamp(clone, 1, backwards ? pages - 1 - i : i);
    // A sanitizer's allocator maps memory whenever it likes.
    if (!support::has_sanitizer) CHECK(support::count_process_mappings() <= before + 4);
    CHECK(cow::process_stats().mappings_in_use <= counted_before + 4);
    CHECK(support::count_mappings(clone) <= 5);
    CHECK(clone.stats().mappings == support::count_mappings(clone));
    CHECK(original.stats().mappings == support::count_mappings(original));
    CHECK(wrong_pages(clone.bytes(), [](std::size_t) { return 1u; }) == 0);
    CHECK(wrong_pages(original.bytes(), [](std::size_t) { return 0u; }) == 0);
    CHECK(support::broken_invariant(clone) == "");
  }
}

TEST_CASE("a region overwritten from end to end between snapshots stays a handful of mappings",
          "[mm]") {
  Region region = stamped(1000 * support::page_bytes(), 0);
  std::vector<Snapshot> history;
  for (unsigned round = 1; round < 12; ++round) {
    history.push_back(region.snapshot());
    for (std::size_t page = 0; page < 1000; ++page) store_stamp(region, round, page);
    CHECK(support::count_mappings(region) <= 5);
    CHECK(region.stats().mappings == support::count_mappings(region));
  }
  for (std::size_t i = 0; i < history.size(); ++i) {
    CHECK(wrong_pages(history[i].bytes(), [&](std::size_t) { return i; }) == 0);
  }
}

TEST_CASE("stats().mappings is the number of lines in /proc/self/maps, after every step",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const std::size_t pages = 200;
  const std::size_t held_before = cow::process_stats().mappings_in_use;
  std::vector<Region> regions;
  std::vector<Snapshot> snapshots;
  std::vector<std::size_t> mapped;  // those of `snapshots` whose bytes were asked for
  for (std::size_t step = 0; step < support::scaled(1500); ++step) {
    CAPTURE(step);
    const std::size_t choice = regions.empty() ? 9 : random.below(10);
    if (choice == 9) {
      if (regions.size() == 6) regions.erase(regions.begin() + 2);
      const bool fresh = regions.empty() || random.one_in(3);
      const auto options = random.one_in(2) ? support::options() : support::single_page_options();
      regions.push_back(fresh ? Region::create(pages * support::page_bytes(), options)
                              : regions[random.below(regions.size())].clone());
    } else if (choice == 8) {
      if (snapshots.size() == 5) {
        snapshots.clear();
        mapped.clear();
      }
      snapshots.push_back(regions[random.below(regions.size())].snapshot());
      if (random.one_in(2)) {
        (void)snapshots.back().bytes();
        mapped.push_back(snapshots.size() - 1);
      }
    } else {
      Region& region = regions[random.below(regions.size())];
      const std::size_t first = random.below(pages);
      const std::size_t count = random.one_in(3) ? random.between(1, 40) : 1;
      for (std::size_t page = first; page < std::min(pages, first + count); ++page) {
        support::store(region, page, static_cast<unsigned>(step));
      }
    }
    std::size_t total = 0;
    const std::size_t guards = 2 * (mapped.size() + regions.size());  // one at either end
    for (const Region& region : regions) {
      REQUIRE(region.stats().mappings == support::count_mappings(region));
      total += region.stats().mappings;
    }
    for (const std::size_t index : mapped) {
      total += support::count_mappings(snapshots[index].bytes());
    }
    REQUIRE(cow::process_stats().mappings_in_use >= held_before + total);
    REQUIRE(cow::process_stats().mappings_in_use <= held_before + total + guards);
  }
}

TEST_CASE("stores to every second page of a large clone run to the end within the budget", "[mm]") {
  const std::size_t size = support::large_region_bytes(3);
  CAPTURE(size);
  const std::size_t pages = size / support::page_bytes();
  Region original = stamped(size, 0);
  Region clone = original.clone();
  for (std::size_t page = 0; page < pages; page += 2) store_stamp(clone, 1, page);

  CHECK(wrong_pages(clone.bytes(), [](std::size_t page) { return 1 - page % 2; }) == 0);
  CHECK(wrong_pages(original.bytes(), [](std::size_t) { return 0u; }) == 0);
  const cow::ProcessStats stats = cow::process_stats();
  CHECK(stats.mappings_in_use <= stats.mapping_budget);
  CHECK(support::count_process_mappings() < support::max_map_count());
  CHECK(clone.stats().mappings == support::count_mappings(clone));
  CHECK(support::broken_invariant(clone) == "");
}

TEST_CASE("stores to every second page of a large new region run to the end within the budget",
          "[mm]") {
  const std::size_t size = support::large_region_bytes(2);
  CAPTURE(size);
  const std::size_t pages = size / support::page_bytes();
  Region region = Region::create(size, support::options());
  for (std::size_t page = 0; page < pages; page += 2) store_stamp(region, 1, page);
  std::size_t wrong = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    const std::uint64_t expected = page % 2 == 0 ? stamp(1, page) : 0;
    wrong += support::read_word(region.bytes(), page * support::page_bytes()) != expected;
  }
  CHECK(wrong == 0);
  CHECK(cow::process_stats().mappings_in_use <= cow::process_stats().mapping_budget);
  CHECK(support::count_process_mappings() < support::max_map_count());
}

TEST_CASE("random stores to all pages of a large clone run to the end beside seven other clones",
          "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  const std::size_t size = support::large_region_bytes(6);
  CAPTURE(size);
  const std::size_t pages = size / support::page_bytes();
  Region original = stamped(size, 0);
  std::vector<Region> clones;
  for (std::size_t i = 0; i < 8; ++i) clones.push_back(original.clone());

  // The first clone is written whole; the seven others get 512 stores each in between.
  const std::vector<std::size_t> order = random.permutation(pages);
  std::vector<std::vector<bool>> stored(8, std::vector<bool>(pages));
  const std::size_t stride = std::max<std::size_t>(1, pages / (7 * 512));
  for (std::size_t i = 0; i < pages; ++i) {
    store_stamp(clones[0], 1, order[i]);
    if (i % stride == 0) {
      const std::size_t other = 1 + i / stride % 7;
      const std::size_t page = random.below(pages);
      store_stamp(clones[other], other + 1, page);
      stored[other][page] = true;
    }
  }

  CHECK(wrong_pages(original.bytes(), [](std::size_t) { return 0u; }) == 0);
  CHECK(wrong_pages(clones[0].bytes(), [](std::size_t) { return 1u; }) == 0);
  for (std::size_t i = 1; i < 8; ++i) {
    CAPTURE(i);
    CHECK(wrong_pages(clones[i].bytes(), [&](std::size_t page) {
            return stored[i][page] ? i + 1 : std::size_t{0};
          }) == 0);
    CHECK(support::broken_invariant(clones[i]) == "");
  }
  const cow::ProcessStats stats = cow::process_stats();
  CHECK(stats.mappings_in_use <= stats.mapping_budget);
  CHECK(support::count_process_mappings() < support::max_map_count());
  CHECK(clones[0].stats().mappings == support::count_mappings(clones[0]));
}

TEST_CASE("the mappings of all regions together keep to the budget of the process", "[mm]") {
  // Each clone alone would be within the budget; all of them together would not.
  const std::size_t size = support::large_region_bytes(6) / 16;
  const std::size_t pages = size / support::page_bytes();
  Region original = stamped(pages * support::page_bytes(), 0);
  std::vector<Region> clones;
  for (std::size_t i = 0; i < 12; ++i) {
    clones.push_back(original.clone());
    for (std::size_t page = i % 2; page < pages; page += 2) store_stamp(clones[i], i + 1, page);
  }
  for (std::size_t i = 0; i < clones.size(); ++i) {
    CHECK(wrong_pages(clones[i].bytes(), [&](std::size_t page) {
            return page % 2 == i % 2 ? i + 1 : std::size_t{0};
          }) == 0);
  }
  CHECK(wrong_pages(original.bytes(), [](std::size_t) { return 0u; }) == 0);
  const cow::ProcessStats stats = cow::process_stats();
  CHECK(stats.mappings_in_use <= stats.mapping_budget);
  CHECK(support::count_process_mappings() < support::max_map_count());
}
