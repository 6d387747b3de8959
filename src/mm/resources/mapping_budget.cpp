#include "mm/resources/mapping_budget.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "base/units.hpp"
#include "os/host.hpp"
#include "os/lock.hpp"
#include "os/mapping.hpp"
#include "os/signal_mask.hpp"

namespace cow::mapping_budget {

namespace {

// For thread stacks, libraries and heaps that come after us.
constexpr std::size_t kLeftForOthers = 2048;

constexpr std::uint64_t kLeaf = kTableEntries;                  // pages of one leaf
constexpr std::uint64_t kMostLeaves = 1024 * kLeaf;             // no more at once: 4 MiB of tables
constexpr std::uint64_t kWholeRegion = std::uint64_t{1} << 40;  // more pages than any has

// When the kernel has none left, the first store to each region, of each thread that is at work
// then, may take two more before the region is one piece; and what is given back is free for all
// threads of the process.
constexpr std::size_t kSpareMappings = 512;
// What a control call may have given back since it was refused.
constexpr std::size_t kFewMappings = 64;
// Held while they are given back, too: another fault that finds no mapping can count on them only
// then. A control call that holds it has all signals masked.
constinit os::Lock g_spare_lock{os::LockRank::spare_mappings};
std::byte* g_spare COW_GUARDED_BY(g_spare_lock) = nullptr;

void take_spare_mappings() noexcept {
  const os::SignalsMasked signals;
  const os::LockGuard guard(g_spare_lock);
  if (g_spare == nullptr) g_spare = os::map_spare_mappings(kSpareMappings);
}

void give_back_spare_mappings() noexcept {
  const os::LockGuard guard(g_spare_lock);
  // Forgotten first: a child that is forked in between must not unmap what others have put there.
  std::byte* const spare = std::exchange(g_spare, nullptr);
  if (spare != nullptr) os::unmap_spare_mappings(spare, kSpareMappings);
}

// While mappings are short, others may give some back at any time.
constexpr std::uint64_t kMeasureAgainAfterNs = 1'000'000'000;

std::atomic<bool> g_needs_measuring{true};
std::atomic<std::uint64_t> g_measured_ns{0};
std::atomic<std::size_t> g_most_metadata{0};  ///< beyond, it is time to measure again
std::atomic<std::int64_t> g_in_use{0};
std::atomic<std::size_t> g_others{0};  ///< not libcow's, as they were counted last
// Never 0, also while another thread measures for the first time.
std::atomic<std::size_t> g_limit{std::size_t{1} << 15};

}  // namespace

void measure() noexcept {
  g_needs_measuring.store(false, std::memory_order_relaxed);
  g_measured_ns.store(os::monotonic_ns(), std::memory_order_relaxed);
  take_spare_mappings();
  const std::size_t all = os::max_map_count();
  const std::size_t left_for_others = std::min(kLeftForOthers, all / 8);
  // Page tables and counts of frames are others', too.
  g_most_metadata.store(os::metadata_mappings() + left_for_others / 2, std::memory_order_relaxed);
  const std::size_t ours = in_use();
  if (const std::optional<std::size_t> mapped = os::count_mappings()) {
    g_others.store(*mapped > ours ? *mapped - ours : 0, std::memory_order_relaxed);
  }
  const std::size_t others = g_others.load(std::memory_order_relaxed) + left_for_others;
  // Never 0: with nothing left at all, every window is as wide as can be.
  g_limit.store(all > others ? all - others : 1, std::memory_order_relaxed);
}

bool needs_measuring() noexcept {
  if (g_needs_measuring.load(std::memory_order_relaxed)) return true;
  if (os::metadata_mappings() > g_most_metadata.load(std::memory_order_relaxed)) return true;
  if (!shortage().any()) return false;
  const std::uint64_t measured = g_measured_ns.load(std::memory_order_relaxed);
  return os::monotonic_ns() - measured > kMeasureAgainAfterNs;
}

bool is_used_up() noexcept {
  const std::optional<std::size_t> mapped = os::count_mappings();
  // Where it cannot be told, what failed was hardly for mappings: a descriptor is missing, too.
  return mapped && *mapped + kSpareMappings + kFewMappings >= os::max_map_count();
}

void note_exhausted() noexcept {
  g_needs_measuring.store(true, std::memory_order_relaxed);
  give_back_spare_mappings();
  g_limit.store(std::max<std::size_t>(1, in_use()), std::memory_order_relaxed);
}

void forget_other_threads() noexcept { g_spare_lock.reset(); }

std::size_t limit() noexcept { return g_limit.load(std::memory_order_relaxed); }

std::size_t in_use() noexcept {
  return static_cast<std::size_t>(
      std::max<std::int64_t>(0, g_in_use.load(std::memory_order_relaxed)));
}

void add(std::int64_t change) noexcept { g_in_use.fetch_add(change, std::memory_order_relaxed); }

std::size_t spendable() noexcept {
  const std::size_t used = in_use();
  return used < limit() ? (limit() - used) / 2 : 0;
}

MappingShortage shortage() noexcept {
  // By sixteenths of the budget that are gone. Every step bounds the number of mappings a region
  // can have more tightly, at the price of more copying: runs that are further apart than the
  // reach, or blocks, in a region.
  const std::size_t gone = in_use() * 16 / limit();
  if (gone < 10) return {};
  switch (gone) {
    case 10: return {.reach_pages = 32, .untouched_pages = 4 * kLeaf};
    case 11: return {.reach_pages = 128, .untouched_pages = 16 * kLeaf};
    case 12: return {.reach_pages = 512, .untouched_pages = 64 * kLeaf};
    case 13: return {.block_pages = kLeaf, .untouched_pages = 256 * kLeaf};
    case 14:
      return {.block_pages = 16 * kLeaf, .untouched_pages = kMostLeaves, .file_pages = 16 * kLeaf};
    default:
      return {
          .block_pages = kWholeRegion, .untouched_pages = kMostLeaves, .file_pages = 16 * kLeaf};
  }
}

}  // namespace cow::mapping_budget
