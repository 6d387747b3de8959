#include "api/page_counts.hpp"

#include <algorithm>
#include <cstddef>

#include "base/refusal.hpp"
#include "mm/frames/hole_finder.hpp"
#include "mm/space/copy_on_write.hpp"

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
        stats_.pages_writable += entry.writable() ? 1 : 0;
        stats_.pages_leased += entry.leased() ? 1 : 0;
      }
    }
  }

  /// What the page table does not know of.
  void count_unseen_stores() {
    const auto count = [&](PageSpan span) {
      for (PageIndex page = span.first; page < span.last; ++page) {
        --class_of(page);
        ++stats_.pages_private;
      }
      return true;
    };
    const int error =
        space_.copy_on_write().find_unseen_stores(space_, all_, std::ref(count)).error;
    if (error == 0) return;
    throw_refused(error, "ioctl", "the pages that were stored to could not be counted");
  }

  /// Those that no entry says.
  void count_leases() noexcept {
    const auto& leases = space_.leases();
    for (const PageSpan& lease : leases) {
      for (PageIndex page = lease.first; page < lease.last; ++page) {
        const bool is_counted = table_.entry(page).leased() ||
                                std::any_of(leases.begin(), &lease, [&](PageSpan earlier) {
                                  return earlier.contains(page);
                                });
        stats_.pages_leased += is_counted ? 0 : 1;
      }
    }
  }

 private:
  [[nodiscard]] std::size_t& class_of(PageIndex page) noexcept {
    const Entry entry = table_.entry(page);
    if (entry.is_zero_page() || space_.copy_on_write().is_untouched(entry, holes_)) {
      return stats_.pages_zero;
    }
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
  counts.count_unseen_stores();
  counts.count_leases();
  if (!space.copy_on_write().stores_fault()) stats.pages_writable = stats.pages_private;
}

}  // namespace cow
