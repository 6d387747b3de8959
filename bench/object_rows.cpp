#include "object_rows.hpp"

#include <benchmark/benchmark.h>
#include <cow/managed_region.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "comparison.hpp"
#include "huge_pages_allowed.hpp"
#include "plain_memory.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

using Key = std::uint64_t;
using Map = cow::map<Key, std::uint64_t>;
using StandardMap = std::map<Key, std::uint64_t>;

/// A segment of managed objects in ordinary memory: the same types as in a region, without it.
class PlainSegment {
 public:
  explicit PlainSegment(std::size_t bytes) : memory_(PlainMemory::anonymous(bytes)) {
    // As far from the start of a page as it is in a region.
    void* const place = memory_.data() + cow::detail::managed_header_bytes;
    const std::size_t usable = bytes - cow::detail::managed_header_bytes;
    manager_ = ::new (place) cow::SegmentManager(usable, usable);
  }
  [[nodiscard]] Map& new_map() {
    return *manager_->construct<Map>("map")(cow::allocator<Map::value_type>(manager_));
  }

 private:
  PlainMemory memory_;
  cow::SegmentManager* manager_;
};

[[nodiscard]] Map& new_map(cow::ManagedRegion& region) {
  return *region.construct<Map>("map")(region.get_allocator<Map::value_type>());
}

/// Every page stored to once, so that the map meets no fault.
cow::ManagedRegion written_managed_region(std::size_t bytes) {
  cow::ManagedRegion region = cow::ManagedRegion::create(bytes);
  const std::size_t most = region.get_free_memory() / 8 * 7;
  char* const all = region.construct<char>(cow::anonymous_instance)[most]('x');
  benchmark::DoNotOptimize(all);
  region.destroy_ptr(all);
  return region;
}

// Odd multipliers of 64-bit numbers are permutations: distinct keys without any order.
Key scattered(std::uint64_t i) { return i * 0x9e3779b97f4a7c15U; }

template <typename AnyMap>
void fill(AnyMap& map, std::size_t entries) {
  for (std::uint64_t i = 0; i < entries; ++i) map.emplace(scattered(i), i);
}

template <typename AnyMap>
void find_some(const AnyMap& map, std::size_t entries, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100; ++i) {
    benchmark::DoNotOptimize(map.find(scattered(random() % entries)));
  }
}

/// Copies of the map: into the standard library's heap, and into a segment of its own.
double time_copy(const StandardMap& map, std::size_t entries, std::uint64_t seed) {
  const std::uint64_t start = now_ns();
  const StandardMap copy = map;
  find_some(copy, entries, seed);
  return elapsed_ns(start);
}

double time_copy(const Map& map, std::size_t entries, std::uint64_t seed, std::size_t bytes) {
  cow::ManagedRegion to = written_managed_region(bytes);
  const std::uint64_t start = now_ns();
  const Map& copy = *to.construct<Map>("map")(map, to.get_allocator<Map::value_type>());
  find_some(copy, entries, seed);
  return elapsed_ns(start);
}

double time_clone(const cow::ManagedRegion& region, std::size_t entries, std::uint64_t seed) {
  const std::uint64_t start = now_ns();
  const cow::ManagedRegion clone = region.clone();
  find_some(*clone.find<Map>("map").first, entries, seed);
  return elapsed_ns(start);
}

/// Insertions, lookups and erasures in equal parts, on a map that stays about as large.
void mix(Map& map, std::size_t keys, std::size_t operations, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < operations; ++i) {
    const std::uint64_t word = random();
    const Key key = scattered(word % keys);
    switch (word >> 32 & 3) {
      case 0: map.emplace(key, word); break;
      case 1: map.erase(key); break;
      default: benchmark::DoNotOptimize(map.find(key)); break;
    }
  }
}

double time_mix(Map& map, std::size_t keys, std::size_t operations, std::uint64_t seed) {
  const std::uint64_t start = now_ns();
  mix(map, keys, operations, seed);
  return elapsed_ns(start);
}

}  // namespace

Group clone_of_objects() {
  const std::size_t entries = full_or_quick<std::size_t>(1'000'000, 1000);
  const std::size_t bytes = full_or_quick(128 * mib, mib);
  Row standard{.what = "a map of 10^6 entries, then find of 100 of them",
               .ours = "in a clone of its ManagedRegion",
               .theirs = "in a copy of the same std::map",
               .most = 1.0 / 500};
  Row boost{.what = standard.what,
            .ours = standard.ours,
            .theirs = "in a copy of the same map, in a region with every page touched",
            .most = 1.0 / 500};
  Row huge{.what = standard.what + ", huge pages allowed",
           .ours = standard.ours,
           .theirs = standard.theirs,
           .most = 1.0 / 500};
  cow::ManagedRegion region = cow::ManagedRegion::create(bytes);
  Map& map = new_map(region);
  fill(map, entries);
  std::optional<cow::ManagedRegion> huge_region;
  {
    const HugePagesAllowed allowed;
    cow::RegionOptions options;
    options.huge_pages = true;
    if (allowed) {
      huge_region = cow::ManagedRegion::create(bytes, options);
      fill(new_map(*huge_region), entries);
    } else {
      huge.left_out = HugePagesAllowed::why_not;
    }
  }
  StandardMap standard_map;
  fill(standard_map, entries);
  std::uint64_t seed = 0;
  take_numbered_turns(
      rounds(15), seed,
      [&](bool wanted) { keep(wanted, standard.our_samples, time_clone(region, entries, seed)); },
      [&](bool wanted) {
        if (!huge_region) return;
        keep(wanted, huge.our_samples, time_clone(*huge_region, entries, seed));
      },
      [&](bool wanted) {
        keep(wanted, standard.their_samples, time_copy(standard_map, entries, seed));
      },
      [&](bool wanted) {
        keep(wanted, boost.their_samples, time_copy(map, entries, seed, bytes));
      });
  boost.our_samples = standard.our_samples;
  if (!huge_region) return {.rows = {standard, boost, huge}};
  huge.their_samples = standard.their_samples;
  Row huge_boost = boost;
  huge_boost.what = huge.what;
  huge_boost.our_samples = huge.our_samples;
  return {.rows = {standard, boost, huge, huge_boost}};
}

Group map_in_a_region() {
  const std::size_t keys = full_or_quick<std::size_t>(1 << 18, 1 << 10);
  const std::size_t operations = full_or_quick<std::size_t>(1 << 17, 1 << 10);
  const std::size_t bytes = full_or_quick(32 * mib, mib);
  Row row{.what = "insert, find and erase on a map, nothing shared",
          .ours = "in a region",
          .theirs = "the same map with the same allocator in plain memory",
          .most = 1.02};
  Row noise{.what = row.what, .ours = "in other plain memory", .theirs = row.theirs};
  // Where in physical memory the pages happen to lie makes a difference of its own: several times
  // afresh.
  for (std::size_t placement = 0; placement < rounds(5); ++placement) {
    cow::ManagedRegion region = written_managed_region(bytes);
    PlainSegment plain(bytes);
    PlainSegment other(bytes);
    Map& map = new_map(region);
    Map& plain_map = plain.new_map();
    Map& other_map = other.new_map();
    for (Map* const each : {&map, &plain_map, &other_map}) mix(*each, keys, 2 * keys, placement);
    std::uint64_t seed = 0;
    take_numbered_turns(
        rounds(9), seed,
        [&](bool wanted) { keep(wanted, row.our_samples, time_mix(map, keys, operations, seed)); },
        [&](bool wanted) {
          keep(wanted, row.their_samples, time_mix(plain_map, keys, operations, seed));
        },
        [&](bool wanted) {
          keep(wanted, noise.our_samples, time_mix(other_map, keys, operations, seed));
        });
  }
  noise.their_samples = row.their_samples;
  return {.rows = {row, noise}};
}

}  // namespace cow_bench
