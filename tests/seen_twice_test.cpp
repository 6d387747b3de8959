// Frames that come to be seen twice, in whatever way: by a snapshot that is read, a clone, a clone
// of the past, a child. Pages that have to move then find their slots side by side, so stores cost
// what they cost beside a clone, and none dies for the mappings that libcow itself uses.

#include <algorithm>
#include <cow/cow.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "eaten_mappings.hpp"
#include "folder.hpp"
#include "mm/resources/mapping_budget.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

// Several leaves, if the pages are not large.
const std::size_t pages =
    std::clamp<std::size_t>((std::size_t{8} << 20) / support::page_bytes(), 128, 1600);

Region filled() {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes(), 1);
  return region;
}

/// What keeps the frames of a region in sight of others, for as long as it lives.
struct Beside {
  std::vector<Region> regions{};
  std::vector<Snapshot> snapshots{};
  std::optional<support::ForkedChild> child{};
};

struct Way {
  const char* name;
  std::function<void(Region&, Beside&)> show;
};

void store_here_and_there(Region& region, std::size_t step) {
  for (std::size_t page = step / 2; page < pages; page += step) support::flip(region, page);
}

const std::vector<Way> ways = {
    {"a clone", [](Region& region, Beside& beside) { beside.regions.push_back(region.clone()); }},
    {"a snapshot that is read",
     [](Region& region, Beside& beside) {
       beside.snapshots.push_back(region.snapshot());
       (void)beside.snapshots.back().bytes();
     }},
    {"a clone of the past",
     [](Region& region, Beside& beside) {
       beside.regions.push_back(Region::from_snapshot(region.snapshot()));
     }},
};

const std::vector<Way> stranger_ways = {
    {"snapshots that are read in the end, with stores in between",
     [](Region& region, Beside& beside) {
       for (std::size_t i = 0; i < 6; ++i) {
         beside.snapshots.push_back(region.snapshot());
         store_here_and_there(region, 40 + i);
       }
       beside.snapshots.push_back(region.snapshot());
       for (const Snapshot& snapshot : beside.snapshots) (void)snapshot.bytes();
     }},
    {"clones of several pasts",
     [](Region& region, Beside& beside) {
       for (std::size_t i = 0; i < 6; ++i) {
         beside.snapshots.push_back(region.snapshot());
         store_here_and_there(region, 40 + i);
       }
       beside.snapshots.push_back(region.snapshot());
       for (const Snapshot& snapshot : beside.snapshots) {
         beside.regions.push_back(Region::from_snapshot(snapshot));
       }
     }},
    {"clones and snapshots in turn, most of which go again",
     [](Region& region, Beside& beside) {
       for (std::size_t i = 0; i < 40; ++i) {
         Beside now;
         ways[i % ways.size()].show(region, now);
         store_here_and_there(region, 60 + i);
         if (i % 8 == 0) beside.regions.push_back(region.clone());
       }
       ways[1].show(region, beside);
     }},
    {"a clone that was restored to a past of its original's, with both pasts in sight",
     [](Region& region, Beside& beside) {
       beside.snapshots.push_back(region.snapshot());
       store_here_and_there(region, 30);
       beside.snapshots.push_back(region.snapshot());
       beside.regions.push_back(region.clone());
       store_here_and_there(region, 31);
       beside.snapshots.push_back(region.snapshot());
       region.restore(beside.snapshots[0]);
       for (const Snapshot& snapshot : beside.snapshots) (void)snapshot.bytes();
       store_here_and_there(region, 32);
       beside.snapshots.push_back(region.snapshot());
       region.restore(beside.snapshots[1]);
       (void)beside.snapshots.back().bytes();
     }},
    {"a relative that was restored to its snapshot, another to which its pages were applied",
     [](Region& region, Beside& beside) {
       beside.regions.push_back(region.clone());
       beside.regions.push_back(region.clone());
       store_here_and_there(region, 2);
       const Snapshot before = beside.regions[1].snapshot();
       beside.snapshots.push_back(region.snapshot());
       beside.regions[0].restore(beside.snapshots[0]);
       beside.regions[1].apply(cow::diff(before, beside.snapshots[0]), beside.snapshots[0]);
     }},
    {"a child",
     [](Region& region, Beside& beside) {
       beside.snapshots.push_back(region.snapshot());
       store_here_and_there(region, 50);
       beside.child.emplace([](support::Peer& peer) -> std::string {
         peer.hear();
         return "";
       });
     }},
    {"more snapshots than a fault looks at",
     [](Region& region, Beside& beside) {
       for (std::size_t i = 0; i < 300; ++i) {
         beside.snapshots.push_back(region.snapshot());
         support::flip(region, i % 3);
       }
       store_here_and_there(region, 45);
       beside.snapshots.push_back(region.snapshot());
     }},
    {"more clones than a fault looks at, of a relative",
     [](Region& region, Beside& beside) {
       beside.snapshots.push_back(region.snapshot());
       store_here_and_there(region, 45);
       beside.snapshots.push_back(region.snapshot());
       beside.regions.push_back(region.clone());
       store_here_and_there(region, 46);
       beside.snapshots.push_back(region.snapshot());
       for (std::size_t i = 0; i < 130; ++i) {
         beside.regions.push_back(beside.regions[0].clone());
       }
     }},
    {"what was loaded from an image",
     [](Region& region, Beside& beside) {
       const support::Folder folder;
       region.snapshot().save(folder / "image.cow");
       Region loaded = Region::load(folder / "image.cow");
       std::swap(region, loaded);
       beside.regions.push_back(region.clone());
       ways[1].show(region, beside);
     }},
    {"what was opened from a file",
     [](Region& region, Beside& beside) {
       const support::Folder folder;
       support::write_file(folder / "file", region.bytes());
       cow::RegionOptions options = support::options();
       Region opened = Region::open(folder / "file", options);
       std::swap(region, opened);
       ways[1].show(region, beside);
     }},
};

struct Cost {
  std::size_t faults;
  std::size_t copied;
  std::size_t mappings;
  bool operator==(const Cost&) const = default;
};

std::string text(const Cost& cost) {
  return std::to_string(cost.faults) + " faults, " + std::to_string(cost.copied) + " copied, " +
         std::to_string(cost.mappings) + " mappings";
}

Cost cost_of(Region& region, const std::vector<std::size_t>& order) {
  const cow::RegionStats before = region.stats();
  for (const std::size_t page : order) support::flip(region, page);
  const cow::RegionStats after = region.stats();
  return {after.faults - before.faults, after.pages_copied - before.pages_copied, after.mappings};
}

std::vector<std::size_t> every(std::size_t step) {
  std::vector<std::size_t> order;
  for (std::size_t first = 0; first < step; first += 2) {
    for (std::size_t page = first; page < pages; page += step) order.push_back(page);
  }
  return order;
}

}  // namespace

TEST_CASE("stores beside a snapshot that is read cost what they cost beside a clone", "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  std::vector<std::vector<std::size_t>> orders{every(1), every(2), every(40),
                                               random.permutation(pages)};
  orders.push_back(orders.back());
  orders.back().resize(pages / 20);
  std::vector<std::size_t> blocks;
  for (std::size_t i = 0; i < 20; ++i) {
    const std::size_t first = random.below(pages - 16);
    for (std::size_t page = first; page < first + 16; ++page) blocks.push_back(page);
  }
  orders.push_back(blocks);
  for (std::size_t i = 0; i < orders.size(); ++i) {
    CAPTURE(i);
    std::optional<Cost> beside_a_clone;
    for (const Way& way : ways) {
      CAPTURE(way.name);
      Region region = filled();
      Beside beside;
      way.show(region, beside);
      const Cost cost = cost_of(region, orders[i]);
      if (!beside_a_clone) beside_a_clone = cost;
      CHECK(text(cost) == text(*beside_a_clone));
      for (const Snapshot& snapshot : beside.snapshots) {
        CHECK(support::shows(snapshot.bytes(), 1));
        CHECK(support::count_mappings(snapshot.bytes()) == 1);
      }
      for (const Region& other : beside.regions) CHECK(support::shows(other.bytes(), 1));
      CHECK(support::broken_invariant(region) == "");
    }
  }
}

TEST_CASE("no store dies for libcow's own mappings, however its frames came to be seen twice",
          "[mm]") {
  for (const std::vector<Way>& list : {ways, stranger_ways}) {
    for (const Way& way : list) {
      // What the way itself takes, and then next to nothing: or some, to be used up on the way.
      for (const std::size_t left : {0u, 400u}) {
        if (left > 0 && support::scaled(2) < 2) continue;  // half of it takes half as long
        CAPTURE(way.name, left);
        const auto result = support::run_in_child([&]() -> std::string {
          Region region = filled();
          Beside beside;
          way.show(region, beside);
          // Some of them: all would take gigabytes.
          std::vector<std::span<const std::byte>> shown;
          for (const Snapshot& s : beside.snapshots) shown.push_back(s.bytes());
          for (const Region& r : beside.regions) shown.push_back(r.bytes());
          while (shown.size() > 12)
            shown.erase(shown.begin() + static_cast<std::ptrdiff_t>(shown.size() / 2));
          std::vector<std::vector<std::byte>> past;
          for (const auto& bytes : shown) past.push_back(support::plain_copy(bytes));
          std::vector<std::byte> expected = support::plain_copy(region.bytes());

          const support::EatenMappings eaten(
              std::min<std::size_t>(2048, support::max_map_count() / 8) + left);
          cow::mapping_budget::measure();
          const std::size_t in_use = cow::process_stats().mappings_in_use;
          for (const std::size_t step : {2u, 3u, 1u}) {
            for (std::size_t page = 0; page < pages; page += step) {
              support::flip(region, page);
              expected[page * support::page_bytes()] =
                  static_cast<std::byte>(support::load(region.bytes(), page));
            }
            if (step == 2) (void)region.snapshot().bytes();
          }
          // Runs fall into no more pieces than leaves have ends, whatever is left.
          const std::size_t now = cow::process_stats().mappings_in_use;
          if (now > in_use + left + 16) {
            return std::to_string(now) + " mappings after " + std::to_string(in_use);
          }
          for (std::size_t i = 0; i < shown.size(); ++i) {
            if (!support::same_bytes(past[i], shown[i])) return "a snapshot or relative changed";
          }
          const std::string difference = support::difference(expected, region.bytes());
          return difference.empty() ? support::broken_invariant(region) : difference;
        });
        CHECK(result.complaint == "");
        CHECK(result.exited());
      }
    }
  }
}

TEST_CASE("stores to every second page beside a read snapshot run to the end within the budget",
          "[mm]") {
  const std::size_t size = support::large_region_bytes(4);
  CAPTURE(size);
  for (const Way& way : ways) {
    CAPTURE(way.name);
    Region region = Region::create(size, support::options());
    const std::size_t count = size / support::page_bytes();
    for (std::size_t page = 0; page < count; ++page) support::store(region, page, 1);
    Beside beside;
    way.show(region, beside);
    for (std::size_t page = 0; page < count; page += 2) support::store(region, page, 2);
    std::size_t wrong = 0;
    for (std::size_t page = 0; page < count; ++page) {
      wrong += support::load(region.bytes(), page) != 2 - page % 2;
    }
    CHECK(wrong == 0);
    const cow::ProcessStats stats = cow::process_stats();
    CHECK(stats.mappings_in_use <= stats.mapping_budget);
  }
}

TEST_CASE(
    "a page stored to in each of a thousand leaves that lie apart takes no mapping of its own",
    "[mm]") {
  const auto result = support::run_in_child([]() -> std::string {
    const std::size_t page = support::page_bytes();
    Region region = Region::create(1000 * std::size_t{1024} * page, support::options());
    const support::EatenMappings eaten(std::min<std::size_t>(2048, support::max_map_count() / 8) +
                                       500);
    cow::mapping_budget::measure();
    for (std::size_t i = 0; i < 1000; ++i) support::store(region, i * 7 % 1000 * 1024, 3);
    for (std::size_t i = 0; i < 1000; ++i) {
      if (support::load(region.bytes(), i * 1024) != 3) return "a store is lost";
      if (support::load(region.bytes(), i * 1024 + 600) != 0) return "a page of zeros shows others";
    }
    const cow::ProcessStats stats = cow::process_stats();
    return stats.mappings_in_use <= 600 ? "" : std::to_string(stats.mappings_in_use) + " mappings";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("rounds of sharing and scattered stores take no more room in the long run", "[mm]") {
  for (const Way& way : ways) {
    CAPTURE(way.name);
    support::Random random(7);
    Region region = filled();
    std::size_t early = 0;
    const std::size_t rounds = std::clamp<std::size_t>(support::scaled(3000), 60, 300);
    for (std::size_t round = 0; round < rounds; ++round) {
      Beside beside;
      way.show(region, beside);
      for (std::size_t i = 0; i < 8; ++i) support::flip(region, random.below(pages));
      if (round == 20) early = cow::process_stats().bytes_metadata;
    }
    CHECK(cow::process_stats().bytes_metadata <= early + 64 * support::page_bytes());
    CHECK(support::broken_invariant(region) == "");
  }
}
