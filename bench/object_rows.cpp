#include "object_rows.hpp"

#include <benchmark/benchmark.h>
#include <cow/managed_region.hpp>

#include <cstdint>
#include <map>
#include <random>
#include <string>

#include "comparison.hpp"
#include "huge_pages_allowed.hpp"
#include "plain_memory.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

using Key = std::uint64_t;
using Map = cow::map<Key, std::uint64_t>;
using StandardMap = std::map<Key, std::uint64_t>;

[[nodiscard]] Map& new_map(cow::ManagedRegion& region) {
  return *region.construct<Map>("map")(region.get_allocator<Map::value_type>());
}

[[nodiscard]] Map& map_of(cow::ManagedRegion& region) { return *region.find<Map>("map").first; }

/// A map in a segment of managed objects in ordinary memory: the same types as in a region, without
/// it.
class PlainSegment {
 public:
  explicit PlainSegment(std::size_t bytes) : memory_(PlainMemory::anonymous(bytes)) {
    // As far from the start of a page as it is in a region.
    void* const place = memory_.data() + cow::detail::managed_header_bytes;
    const std::size_t usable = bytes - cow::detail::managed_header_bytes;
    auto* const manager = ::new (place) cow::SegmentManager(usable, usable);
    map_ = manager->construct<Map>("map")(cow::allocator<Map::value_type>(manager));
  }
  [[nodiscard]] Map& map() const { return *map_; }

 private:
  PlainMemory memory_;
  Map* map_;
};

[[nodiscard]] Map& map_of(PlainSegment& segment) { return segment.map(); }

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

cow::ManagedRegion region_with_map(std::size_t bytes, std::size_t entries,
                                   const cow::RegionOptions& options = {}) {
  cow::ManagedRegion region = cow::ManagedRegion::create(bytes, options);
  fill(new_map(region), entries);
  return region;
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

/// One figure: some more of it, on the map in what `make` sets up, which has lived for a while.
template <typename Make>
Prepare mixes(Make make, std::size_t keys, std::size_t operations, std::uint64_t placement) {
  const auto lived = [=] {
    auto place = make();
    mix(map_of(place), keys, 2 * keys, placement);
    return place;
  };
  return turns_over(lived, [=](auto& place, std::uint64_t turn) {
    Map& map = map_of(place);
    const std::uint64_t start = now_ns();
    mix(map, keys, operations, turn);
    return elapsed_ns(start);
  });
}

/// One figure: a clone of the region with the map, and some lookups.
Prepare clones_of_map(std::size_t bytes, std::size_t entries, const cow::RegionOptions& options) {
  return turns_over([=] { return region_with_map(bytes, entries, options); },
                    [=](const cow::ManagedRegion& region, std::uint64_t turn) {
                      return time_clone(region, entries, turn);
                    });
}

Prepare copies_of_standard_map(std::size_t entries) {
  const auto filled = [=] {
    StandardMap map;
    fill(map, entries);
    return map;
  };
  return turns_over(filled, [=](const StandardMap& map, std::uint64_t turn) {
    return time_copy(map, entries, turn);
  });
}

Prepare copies_of_map(std::size_t bytes, std::size_t entries) {
  return turns_over([=] { return region_with_map(bytes, entries); },
                    [=](cow::ManagedRegion& region, std::uint64_t turn) {
                      return time_copy(map_of(region), entries, turn, bytes);
                    });
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
  // In force for all of them: only a region that asks for huge pages gets any.
  const HugePagesAllowed allowed;
  Turns turns(rounds(15));
  turns.add(standard.ours, clones_of_map(bytes, entries, {}), {&standard.our_samples});
  if (allowed) {
    cow::RegionOptions options;
    options.huge_pages = true;
    turns.add(huge.what, clones_of_map(bytes, entries, options), {&huge.our_samples});
  } else {
    huge.left_out = HugePagesAllowed::why_not;
  }
  turns.add(standard.theirs, copies_of_standard_map(entries), {&standard.their_samples});
  turns.add(boost.theirs, copies_of_map(bytes, entries), {&boost.their_samples});
  turns.take();
  boost.our_samples = standard.our_samples;
  if (!allowed) return {.rows = {standard, boost, huge}};
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
    const auto in_region = [=] {
      cow::ManagedRegion region = written_managed_region(bytes);
      static_cast<void>(new_map(region));
      return region;
    };
    const auto plain = [=] { return PlainSegment(bytes); };
    Turns turns(rounds(9));
    turns.add(row.ours, mixes(in_region, keys, operations, placement), {&row.our_samples});
    turns.add(row.theirs, mixes(plain, keys, operations, placement), {&row.their_samples});
    turns.add(noise.ours, mixes(plain, keys, operations, placement), {&noise.our_samples});
    turns.take();
  }
  noise.their_samples = row.their_samples;
  return {.rows = {row, noise}};
}

}  // namespace cow_bench
