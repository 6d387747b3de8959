#include "api/page_counts.hpp"

#include <algorithm>
#include <cstddef>

#include "base/refusal.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/watch/stored_pages.hpp"

namespace cow {

namespace {

class PageCounts {
 public:
  PageCounts(AddressSpace& space, RegionStats& stats) noexcept
      : space_(space),
        table_(space.table()),
        frames_(space.family().frames()),
        holes_(frames_),
        all_(space.open_pages()),
        stats_(stats) {}

  void count_entries() noexcept {
    for (PageIndex page{0}; page < all_.last;) {
      if (table_.leaf_of(page) == nullptr) {
        const PageIndex end = std::min(table_.end_of_missing(page), all_.last);
        const bool is_zeros = table_.entry(page).is_zero_page();  // a file may end before
        (is_zeros ? stats_.pages_zero : stats_.pages_shared) += (end - page).value;
        page = end;
        continue;
      }
      for (const PageIndex end = space_.open_pages_of(page.leaf_index()).last; page < end; ++page) {
        ++class_of(page);
        const Entry entry = table_.entry(page);
        stats_.pages_writable += entry.writable() && !is_untouched(entry) ? 1 : 0;
        stats_.pages_leased += entry.leased() ? 1 : 0;
      }
    }
  }

  /// What the page table does not know: the kernel has copied them since somebody looked.
  void count_stored_pages() {
    if (space_.watched().is_filling()) return;
    StoredPages stored(space_, all_, StoredPages::Then::leave);
    for (PageSpan span = stored.next(); !span.empty(); span = stored.next()) {
      for (PageIndex page = span.first; page < span.last; ++page) {
        --class_of(page);
        ++stats_.pages_private;
      }
    }
    if (stored.error() != 0) {
      throw_refused(stored.error(), "ioctl", "the pages that were stored to could not be counted");
    }
  }

  void count_leases() noexcept {
    const auto& leases = space_.leases();
    for (const PageSpan& lease : leases) {
      for (PageIndex page = lease.first; page < lease.last; ++page) {
        const bool is_counted = std::any_of(
            leases.begin(), &lease, [&](PageSpan earlier) { return earlier.contains(page); });
        stats_.pages_leased += is_counted ? 0 : 1;
      }
    }
  }

 private:
  // Of the first content of a region whose stores the kernel copies.
  [[nodiscard]] bool is_untouched(Entry entry) noexcept {
    return space_.range().watched() != nullptr && entry.never_stored() &&
           (!entry.writable() || holes_.is_hole(entry.frame()));
  }

  [[nodiscard]] std::size_t& class_of(PageIndex page) noexcept {
    const Entry entry = table_.entry(page);
    if (entry.is_zero_page() || is_untouched(entry)) return stats_.pages_zero;
    const bool is_ours = table_.owns_leaf(page) && frames_.is_sole_owner(entry);
    return is_ours ? stats_.pages_private : stats_.pages_shared;
  }

  AddressSpace& space_;
  const PageTable& table_;
  const FrameStore& frames_;
  HoleFinder holes_;
  PageSpan all_;
  RegionStats& stats_;
};

}  // namespace

void count_pages(AddressSpace& space, RegionStats& stats) {
  PageCounts counts(space, stats);
  counts.count_entries();
  if (space.range().watched() == nullptr) return;
  counts.count_stored_pages();
  counts.count_leases();
  stats.pages_writable = stats.pages_private;  // no store faults in libcow
}

}  // namespace cow
