// What windows cost: the bound of docs/windows.md, by counting what faults did and weighing it with
// measured prices.

#include "catch.hpp"
#include "measure/experiments/store_patterns.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

using cow::Region;
using cow::RegionStats;
using cow::Snapshot;

namespace {

// In units of copying 4 KiB as part of a larger copy: see "Prices" in docs/windows.md. The
// library's own constants are rounded, and are not used here on purpose.
constexpr double kMoveFault = 13.5;
constexpr double kStayFault = 11;
constexpr double kFaultIntoNewFrames = 6.6;

/// Where the copies go: into frames that held something before, or into memory that the kernel has
/// yet to find and to clear, for which a page is twice as dear and a fault is not.
enum class Frames { recycled, fresh };

constexpr std::size_t kBlock = store_patterns::block_pages;

/// A leaf has 512 pages: four of them.
constexpr std::size_t kPages = 2048;

struct Work {
  double faults = 0;
  double copied = 0;

  [[nodiscard]] double cost(double price_of_fault) const {
    return faults * price_of_fault + copied * support::copies_of_a_page();
  }
};

Work work_between(const RegionStats& before, const RegionStats& after) {
  return {static_cast<double>(after.faults - before.faults),
          static_cast<double>(after.pages_copied - before.pages_copied)};
}

Region written(const cow::RegionOptions& options) {
  Region region = Region::create(kPages * support::page_bytes(), options);
  for (std::size_t page = 0; page < kPages; ++page) support::store(region, page, 1);
  return region;
}

/// Calls `use(pages stored to, Work)` at each of `counts`, after storing to that many pages of
/// `region` in order.
template <typename Use>
void store_in_order(Region& region, const store_patterns::Order& order,
                    const std::vector<std::size_t>& counts, const Use& use) {
  const RegionStats before = region.stats();
  std::size_t stored = 0;
  for (const std::size_t count : counts) {
    for (; stored < count; ++stored) support::store(region, order[stored], 2);
    use(count, work_between(before, region.stats()));
  }
}

/// The greatest ratio to the better of all lazy and all eager, and where.
struct Worst {
  double ratio = 0;
  std::size_t stored = 0;

  void look_at(std::size_t count, double cost, double price_of_fault) {
    const double lazy = static_cast<double>(count) * (price_of_fault + support::copies_of_a_page());
    const double eager = static_cast<double>(kPages) * support::copies_of_a_page();
    // A block that was taken whole looks like a run to a store right behind it: see "What runs
    // take in vain". Then one more block is taken before blocks are as dear as all eager.
    const double in_vain = count <= 16 ? kBlock * support::copies_of_a_page() : 0;
    const double now = (cost - in_vain) / std::min(lazy, eager);
    if (now > ratio) *this = {now, count};
  }
};

void store_to_all(Region& region) {
  for (std::size_t page = 0; page < kPages; ++page) support::store(region, page, 1);
}

Worst worst_of(Region& region, const store_patterns::Order& order, double price_of_fault) {
  Worst worst;
  store_in_order(region, order, store_patterns::checkpoints(kPages, 60),
                 [&](std::size_t count, const Work& work) {
                   worst.look_at(count, work.cost(price_of_fault), price_of_fault);
                 });
  return worst;
}

Worst worst_of_clone(const store_patterns::Order& order, Frames frames) {
  const Region original = written(support::options());
  if (frames == Frames::recycled) {
    Region before = original.clone();
    store_to_all(before);
  }
  Region clone = original.clone();
  return worst_of(clone, order, frames == Frames::fresh ? kFaultIntoNewFrames : kMoveFault);
}

Worst worst_after_snapshot(const store_patterns::Order& order, Frames frames) {
  Region region = written(support::options());
  if (frames == Frames::recycled) {
    const Snapshot before = region.snapshot();
    store_to_all(region);
  }
  // None is warm any more: the rounds before this one are long ago.
  for (int round = 0; frames == Frames::recycled && round < 16; ++round) (void)region.snapshot();
  const Snapshot snapshot = region.snapshot();
  return worst_of(region, order, frames == Frames::fresh ? kFaultIntoNewFrames : kStayFault);
}

// The bounds of docs/windows.md: a block is taken whole by its fourth fault, or by its fifth where
// pages stay, or by its sixth if that goes on with a run; into new frames by its ninth. Pages of 16
// KiB take four times as many, and where a block has fewer pages than that each of them faults. The
// better way has paid for as many pages by then, or for the block.
double most(double faults_of_4_kib, double extra_pages, double price_of_fault) {
  const double faults = std::min<double>(kBlock, faults_of_4_kib * support::copies_of_a_page());
  const double block = kBlock * support::copies_of_a_page();
  const double better =
      std::min(block, (faults + extra_pages) * (price_of_fault + support::copies_of_a_page()));
  return (faults * price_of_fault + block) / better;
}
double most_for_clones() { return std::max(most(4, 0, kMoveFault), most(6, 1, kMoveFault)); }
double most_for_snapshots() { return std::max(most(5, 0, kStayFault), most(6, 1, kStayFault)); }
double most_into_new_frames() { return most(9, 0, kFaultIntoNewFrames); }
double most_of(Frames frames, double recycled) {
  return frames == Frames::fresh ? most_into_new_frames() : recycled;
}

}  // namespace

TEST_CASE("whatever the pattern, a lazy clone costs little more than twice the better of all lazy "
          "and all eager",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const Frames frames = GENERATE(Frames::recycled, Frames::fresh);
  const double most = most_of(frames, most_for_clones());
  for (const auto& [name, order] : store_patterns::all(kPages, seed)) {
    const Worst worst = worst_of_clone(order, frames);
    CAPTURE(name, worst.ratio, worst.stored, most);
    CHECK(worst.ratio > 0.9);  // some number of pages costs the better of both at least
    CHECK(worst.ratio <= most + 0.001);
  }
}

TEST_CASE("whatever the pattern, stores after a snapshot cost little more than twice the better of "
          "all lazy and all eager",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const Frames frames = GENERATE(Frames::recycled, Frames::fresh);
  const double most = most_of(frames, most_for_snapshots());
  for (const auto& [name, order] : store_patterns::all(kPages, seed)) {
    const Worst worst = worst_after_snapshot(order, frames);  // without pages that are hot
    CAPTURE(name, worst.ratio, worst.stored, most);
    CHECK(worst.ratio > 0.9);
    CHECK(worst.ratio <= most + 0.001);
  }
}

TEST_CASE("without windows a clone costs a fault and a copied page for each page stored to",
          "[mm][handler]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const Region original = written(support::single_page_options());
  for (const auto& [name, order] : store_patterns::all(kPages, seed)) {
    CAPTURE(name);
    Region clone = original.clone();
    store_in_order(clone, order, {1, kPages / 10, kPages}, [](std::size_t count, Work work) {
      CHECK(work.faults == static_cast<double>(count));
      CHECK(work.copied == static_cast<double>(count));
    });
  }
}

TEST_CASE(
    "a run of stores copies less than a window more than the pages stored to, wherever it ends",
    "[mm][handler]") {
  const Region original = written(support::options());
  const std::size_t last = GENERATE(1u, 2u, 3u, 5u, 9u, 16u, 17u, 64u, 65u, 66u, 129u, 130u, 400u);
  for (const bool backwards : {false, true}) {
    CAPTURE(last, backwards);
    store_patterns::Order order =
        backwards ? store_patterns::backward(kPages) : store_patterns::forward(kPages);
    order.resize(last);
    Region clone = original.clone();
    store_in_order(clone, order, {last}, [](std::size_t count, Work work) {
      const std::size_t window = support::longest_window();
      if (count <= 16) CHECK(work.copied < static_cast<double>(2 * count));
      CHECK(work.copied < static_cast<double>(count + window));
      CHECK(work.faults <= 6 + static_cast<double>((count + window - 1) / window));
    });
  }
}

TEST_CASE("where nothing is to be copied a block takes as many faults as if frames were recycled",
          "[mm][handler]") {
  Region region = written(support::options());
  { const Snapshot gone = region.snapshot(); }
  // In the second block: the first store of all counts as a fault of the first.
  const store_patterns::Order order{64, 71, 78, 85, 92, 99, 106, 113};
  store_in_order(region, order, {order.size()}, [](std::size_t, const Work& work) {
    CHECK(work.faults == std::min(8.0, std::floor(64 * support::copies_of_a_page() / 12)));
    CHECK(work.copied == 0);
  });
}

TEST_CASE("stores that follow every window of a run, and nothing else, stay near twice all eager",
          "[mm][handler]") {
  // The worst there is for runs: each fault takes 256 KiB, the program stores to the first page.
  const Region original = written(support::options());
  Region clone = original.clone();
  store_patterns::Order order{0};
  for (std::size_t page = 1; page < kPages; page += std::min(page, support::longest_window())) {
    order.push_back(page);
  }
  store_in_order(clone, order, {order.size()}, [](std::size_t count, const Work& work) {
    CHECK(work.faults == static_cast<double>(count));
    CHECK(work.copied == static_cast<double>(kPages));
    constexpr double kFault = kFaultIntoNewFrames;
    const double lazy = static_cast<double>(count) * (kFault + support::copies_of_a_page());
    const double window =
        static_cast<double>(support::longest_window()) * support::copies_of_a_page();
    CHECK(work.cost(kFault) <= (kFault + window) / (kFault + support::copies_of_a_page()) * lazy);
    CHECK(work.cost(kFault) <=
          most_into_new_frames() * static_cast<double>(kPages) * support::copies_of_a_page());
  });
}

TEST_CASE("with pages of 64 KiB scattered stores copy the pages stored to, and no others",
          "[mm][handler]") {
  cow::RegionOptions options = support::options();
  options.granule_bytes = std::size_t{64} << 10;
  Region original = Region::create(kPages * options.granule_bytes, options);
  const auto store = [&](Region& region, std::size_t page) {
    region.data()[page * options.granule_bytes] = std::byte{1};
  };
  for (std::size_t page = 0; page < kPages; ++page) store(original, page);
  const auto work_of_scattered_stores = [&](Region& region) {
    const RegionStats before = region.stats();
    for (std::size_t page = 0; page < kPages; page += 10) store(region, page);
    return work_between(before, region.stats());
  };
  constexpr double kStores = (kPages + 9) / 10;
  Region clone = original.clone();
  const Work of_clone = work_of_scattered_stores(clone);
  CHECK(of_clone.faults == kStores);
  CHECK(of_clone.copied == kStores);
  const Snapshot snapshot = clone.snapshot();
  const Work beside_snapshot = work_of_scattered_stores(clone);
  CHECK(beside_snapshot.faults == kStores);
  CHECK(beside_snapshot.copied == kStores);
}
