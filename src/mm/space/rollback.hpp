#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/units.hpp"
#include "mm/resources/metadata_array.hpp"

namespace cow {

class AddressSpace;
class PageTable;

/// A page that is stored to in most rounds of a rollback loop. It stays private and writable: to
/// restore it takes a comparison and a copy, where sharing it again would take a change of
/// protection, another fault and two copies.
///
/// A round in which nobody stores to it costs a comparison for nothing. There are no more of those
/// than rounds in which it was worth it, and never more in a row than kMostIdleRounds, which cost
/// as much as sharing the page and the fault of its next store: rent until the price is paid.
struct HotPage {
  static constexpr std::uint8_t kFewestIdleRounds = 2;  ///< for pages of every other round
  static constexpr std::uint8_t kMostIdleRounds = 64;

  PageIndex page;
  const std::byte* past = nullptr;  ///< where the snapshot's bytes can be read; null: zeros
  std::uint8_t stored_rounds = 1;   ///< rounds in which its bytes changed while it was hot
  std::uint8_t idle_rounds = 0;     ///< rounds in a row in which they did not
  bool leased = false;              ///< it stays private anyway

  void note_round(bool stored) noexcept {
    if (stored && stored_rounds < kMostIdleRounds) ++stored_rounds;
    if (!stored && idle_rounds < kMostIdleRounds) ++idle_rounds;
    if (stored || leased) idle_rounds = 0;
  }
  [[nodiscard]] bool is_idle() const noexcept {
    return idle_rounds >= std::max(stored_rounds, kFewestIdleRounds);
  }
};

/// What restore() has compared and copied, for RegionStats.
struct RollbackCounts {
  std::atomic<std::uint64_t> pages_compared{0};
  std::atomic<std::uint64_t> pages_restored{0};

  /// restore() alone counts, and the caller keeps others from calling it at the same time.
  static void add(std::atomic<std::uint64_t>& count, std::uint64_t pages) noexcept {
    count.store(count.load(std::memory_order_relaxed) + pages, std::memory_order_relaxed);
  }
};

/// What a region remembers between one restore and the next to the same snapshot.
///
/// Invariant: as long as it follows a snapshot, every page that is not writable shows the
/// snapshot's bytes. Pages that are writable and not listed here became so since: by a fault.
///
/// Read and written by restore() alone, from which the caller keeps everybody else, or with the
/// family's lock held.
class RollbackList {
 public:
  /// Whether the last restore was to this snapshot and nothing but faults has changed the region's
  /// page table since. The caller holds the family's lock.
  [[nodiscard]] bool follows(const PageTable& snapshot) const noexcept;
  /// Something else changes the page table.
  void stop_following() noexcept { follows_ = is_in_rounds_ = false; }
  /// Whether the region was restored to the same snapshot twice: what a fault makes private now is
  /// going to be put back. Signal context: yes.
  [[nodiscard]] bool is_in_rounds() const noexcept { return is_in_rounds_; }

  // A restore makes the lists anew, pages in ascending order.

  /// Room for what a round with the writable pages of `space` may list. False without memory; then
  /// nothing has changed.
  [[nodiscard]] bool reserve_for(const AddressSpace& space) noexcept;
  void begin_round() noexcept;
  /// What was known of the page as a hot one; null if it was none.
  [[nodiscard]] HotPage* was_hot(PageIndex page) noexcept;
  /// A page that was not hot was stored to. Whether that has happened often enough lately for it to
  /// become hot.
  [[nodiscard]] bool note_store(PageIndex page) noexcept;
  void keep(const HotPage& hot) noexcept { pages_.push(hot); }
  /// The next restore has to go through the page tables.
  void need_tables() noexcept { needs_tables_ = true; }
  /// The lists are right from `generation` on.
  void end_round(const PageTable& snapshot, std::uint64_t generation) noexcept;

  [[nodiscard]] const MetadataArray<HotPage>& hot_pages() const noexcept { return pages_; }
  /// Pages that go back to the snapshot where they are, once the whole round is known.
  [[nodiscard]] MetadataArray<PageIndex>& returning() noexcept { return returning_; }
  /// Room for the bytes of one page.
  [[nodiscard]] std::byte* buffer() noexcept { return buffer_.begin(); }

  [[nodiscard]] RollbackCounts& counts() noexcept { return counts_; }

 private:
  friend bool restore_again(AddressSpace& space, const PageTable& snapshot) noexcept;

  // A page that was stored to in two rounds in a row twice is hot, and one of every other round
  // after five stores. Where D of N pages are stored to in each round at random, that happens to
  // about (D/N)² of them.
  struct RecentStore {
    static constexpr std::uint32_t kLongestGap = 2;  ///< in rounds; older ones are forgotten
    static constexpr std::uint32_t kHotScore = 6;

    PageIndex page;
    std::uint32_t round = 0;
    std::uint32_t score = 0;
  };
  void carry_recent(const RecentStore& recent) noexcept;

  std::uint64_t snapshot_ = 0;  ///< the identity of its table
  bool follows_ = false;
  bool is_in_rounds_ = false;
  bool needs_tables_ = true;
  std::uint64_t generation_ = 0;
  std::uint32_t round_ = 0;
  MetadataArray<HotPage> pages_;
  MetadataArray<HotPage> pages_before_;  ///< the last round's, while a list is made
  std::size_t looked_up_ = 0;            ///< how many of those lie before the page asked for last
  MetadataArray<RecentStore> recent_;
  MetadataArray<RecentStore> recent_before_;
  std::size_t carried_ = 0;  ///< how many of those were looked at
  MetadataArray<PageIndex> returning_;
  MetadataArray<std::byte> buffer_;
  RollbackCounts counts_;
};

/// Restores a region to the snapshot it was restored to before, if since then only hot pages can
/// have changed: without the family's lock, a system call or a look at a page table. False if it is
/// not as simple as that; then restore_snapshot() must follow, whatever was done here.
/// Cost: O(hot pages).
[[nodiscard]] bool restore_again(AddressSpace& space, const PageTable& snapshot) noexcept;

/// The same if besides there were faults: see rollback_round.cpp. The caller holds the family's
/// lock. False, with nothing changed, if something else has happened, or without memory for the
/// lists. Cost: O(writable pages and leaves with such).
[[nodiscard]] bool restore_round(AddressSpace& space, const PageTable& snapshot) noexcept;

/// Lists what a restore of any other kind has left writable. The caller holds the family's lock.
void follow_from_now_on(AddressSpace& space, const PageTable& snapshot) noexcept;

/// Makes the bytes at `live` those at `past`, or zeros where that is null. Whether they were
/// others.
bool put_back(std::byte* live, const std::byte* past, std::size_t bytes) noexcept;

}  // namespace cow
