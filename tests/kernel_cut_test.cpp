// A snapshot of a region whose stores the kernel copies, beside threads that store: all of it is of
// one moment.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "catch.hpp"
#include "crew.hpp"
#include "eaten_mappings.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;
using cow::SnapshotMode;
using support::kernel_can_be_had;
using support::kernel_region;

namespace {

enum class Snapshots {
  with_mappings,
  with_few,               ///< one may be refused; stores go on
  with_a_broken_promise,  ///< that nobody stores: one is refused, or of one moment all the same
};

// Thread i counts in page i, and then in a page of another leaf; in the other order for odd i, so
// that looking at pages in any order would be found.
std::string count_beside_snapshots(std::size_t distance, std::size_t rounds, Snapshots kind) {
  constexpr std::size_t threads = 4;
  Region region = kernel_region(2 * threads + distance + 10);
  const auto first_page = [&](std::size_t i) { return i % 2 == 0 ? i : i + distance; };
  const auto second_page = [&](std::size_t i) { return i % 2 == 0 ? i + distance : i; };
  support::Crew crew;
  std::array<std::atomic<std::uint64_t>, threads> counts{};
  for (std::size_t i = 0; i < threads; ++i) {
    crew.repeat([&, i] {
      const std::uint64_t count = counts[i].load(std::memory_order_relaxed) + 1;
      support::shared_word(region, first_page(i)).store(count, support::release_order);
      support::shared_word(region, second_page(i)).store(count, support::release_order);
      counts[i].store(count, std::memory_order_relaxed);
    });
  }
  const auto take_snapshot = [&](std::size_t round) -> std::optional<Snapshot> {
    if (kind == Snapshots::with_mappings) return region.snapshot();
    try {
      if (kind == Snapshots::with_a_broken_promise) return region.snapshot(SnapshotMode::quiescent);
      const support::EatenMappings eaten(support::spared_for_heap() + 5 * round % 16);
      return region.snapshot();
    } catch (const std::system_error&) {
      return std::nullopt;
    } catch (const std::logic_error& error) {
      if (kind != Snapshots::with_a_broken_promise || !support::is_sentence(error.what())) throw;
      return std::nullopt;
    }
  };
  std::size_t taken = 0;
  std::size_t refused = 0;
  // On a busy machine the threads that break the promise may all be off their processors.
  const std::size_t most_rounds = kind == Snapshots::with_a_broken_promise ? 100'000 : rounds;
  std::array<std::uint64_t, threads> last{};
  for (std::size_t round = 0; round < rounds || (refused == 0 && round < most_rounds); ++round) {
    const std::optional<Snapshot> snapshot = take_snapshot(round);
    ++(snapshot ? taken : refused);
    if (!snapshot) continue;
    for (std::size_t i = 0; i < threads; ++i) {
      const auto word = [&](std::size_t page) {
        return support::read_word(snapshot->bytes(), page * support::page_bytes());
      };
      const std::uint64_t ahead = word(first_page(i));
      const std::uint64_t behind = word(second_page(i));
      if (ahead < behind || ahead - behind > 1) return "a snapshot is of more than one moment";
      if (ahead < std::exchange(last[i], ahead)) return "a snapshot is older than the one before";
    }
  }
  crew.stop();
  if (taken == 0) return "no snapshot could be taken";
  if (kind == Snapshots::with_a_broken_promise && refused == 0) return "no store was reported";
  for (std::size_t i = 0; i < threads; ++i) {
    if (support::shared_word(region, second_page(i)).load() != counts[i].load()) {
      return "a store is lost";
    }
  }
  return support::broken_invariant(region);
}

}  // namespace

TEST_CASE("a snapshot beside storing threads is what the region showed at one moment", "[mm]") {
  if (!kernel_can_be_had()) return;
  // Stores are held off in parts of 512 pages.
  const std::size_t distance = GENERATE(std::size_t{590}, std::size_t{9000});
  CHECK(count_beside_snapshots(distance, support::scaled(400), Snapshots::with_mappings) == "");
}

TEST_CASE("a snapshot beside storing threads is of one moment, with hardly a mapping left, too",
          "[mm]") {
  if (!kernel_can_be_had()) return;
  const auto result = support::run_in_child(
      [] { return count_beside_snapshots(9000, 16 + support::scaled(40), Snapshots::with_few); });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE(
    "a quiescent snapshot beside threads that store all the same is refused, or of one moment",
    "[mm]") {
  if (!kernel_can_be_had()) return;
  CHECK(count_beside_snapshots(590, support::scaled(400), Snapshots::with_a_broken_promise) == "");
}
