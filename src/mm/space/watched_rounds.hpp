#pragma once

#include <cstddef>

#include "base/units.hpp"
#include "mm/resources/metadata_array.hpp"
#include "mm/space/rollback.hpp"

namespace cow {

/// What a region whose stores the kernel copies remembers between one restore and the next.
///
/// A page that two rounds in a row stored to is *kept*: it stays the region's own copy, which a
/// restore compares with the snapshot and puts right, and it is not armed, so that its next store
/// costs nothing. Others are dropped, and show the snapshot's frame again. Where hardly any page
/// comes back, whole rounds are dropped, unlooked at.
class WatchedRounds {
 public:
  /// All pages were armed by a look, or are going to be dropped.
  void forget_kept() noexcept { kept_.clear(); }

  // A restore makes the lists anew, pages in ascending order.

  void begin_round() noexcept {
    stored_.swap(stored_before_);
    stored_.clear();
    kept_.swap(kept_before_);
    kept_.clear();
    stores_seen_ = kept_seen_ = came_back_ = 0;
  }
  /// What was known of a page that was kept; null if it was not.
  [[nodiscard]] HotPage* was_kept(PageIndex page) noexcept {
    while (kept_seen_ < kept_before_.size() && kept_before_[kept_seen_].page < page) ++kept_seen_;
    const bool known = kept_seen_ < kept_before_.size() && kept_before_[kept_seen_].page == page;
    return known ? &kept_before_[kept_seen_] : nullptr;
  }
  /// A page that was not kept was stored to. Whether it was in the round before, too.
  [[nodiscard]] bool note_store(PageIndex page) noexcept {
    while (stores_seen_ < stored_before_.size() && stored_before_[stores_seen_] < page) {
      ++stores_seen_;
    }
    const bool again = stores_seen_ < stored_before_.size() && stored_before_[stores_seen_] == page;
    came_back_ += again ? 1 : 0;
    if (stored_.reserve(stored_.size() + 1)) stored_.push(page);  // or it counts as the first time
    return again;
  }
  /// False without memory.
  [[nodiscard]] bool keep(const HotPage& page) noexcept {
    if (!kept_.reserve(kept_.size() + 1)) return false;
    kept_.push(page);
    return true;
  }
  void end_round() noexcept {
    unseen_ = 0;
    if (stored_.empty() && kept_.empty()) return;  // a round without stores tells nothing
    const bool few_came_back = kFewOf * (came_back_ + kept_.size()) <= stored_.size();
    cold_rounds_ = few_came_back ? cold_rounds_ + 1 : 0;
  }

  /// Whether the next round may be dropped as a whole: nearly all that was stored to lately was so
  /// for the first time. Every so often a round is looked at all the same.
  [[nodiscard]] bool may_drop_all() noexcept {
    return cold_rounds_ >= kColdRounds && unseen_++ < kMostUnseen;
  }

 private:
  static constexpr std::size_t kFewOf = 8;
  static constexpr unsigned kColdRounds = 2;
  static constexpr unsigned kMostUnseen = 30;

  MetadataArray<PageIndex> stored_;         ///< in the round that was looked at last
  MetadataArray<PageIndex> stored_before_;  ///< in the one before
  MetadataArray<HotPage> kept_;
  MetadataArray<HotPage> kept_before_;
  std::size_t stores_seen_ = 0;  ///< how many of stored_before_ lie before the page asked for last
  std::size_t kept_seen_ = 0;
  std::size_t came_back_ = 0;
  unsigned cold_rounds_ = 0;  ///< in a row
  unsigned unseen_ = 0;       ///< rounds that were dropped since
};

}  // namespace cow
