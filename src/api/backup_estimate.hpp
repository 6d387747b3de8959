#pragma once

#include <cow/backup.hpp>

#include "mm/space/address_space.hpp"
#include "os/host.hpp"

namespace cow::detail {

inline constexpr std::size_t kBackupLists = 3;  ///< see PastLimit::Books

/// Of one of those lists.
[[nodiscard]] inline std::size_t bytes_of_list(PageCount pages) noexcept {
  return os::whole_pages(SparseBits::bytes_for(pages.value));
}

/// What a backup of `space` takes beside the pages that it keeps, and what else it needs to begin.
/// In bytes.
struct BackupNeed {
  std::size_t books = 0;   ///< lists, buffers, and page tables that stores copy
  std::size_t leased = 0;  ///< pages that the cut copies
  std::size_t page = 0;    ///< for one page that is kept
  PageCount reserved{0};   ///< pages that the cut reserves frames for
  std::size_t least = 0;   ///< a smaller limit cannot be kept
  std::size_t most = 0;    ///< if every page is kept
};
/// `target_bytes`: see BackupTarget::most_bytes_taken(), with that of leaves_with_data(space) as
/// its argument. The caller holds the family's lock.
[[nodiscard]] BackupNeed need_of(AddressSpace& space, std::size_t target_bytes) noexcept;

/// In the ranges of how many leaves of the page table there may be data. The caller holds the
/// family's lock.
[[nodiscard]] std::uint64_t leaves_with_data(const AddressSpace& space) noexcept;

/// See Region::estimate_backup.
[[nodiscard]] BackupEstimate estimate_backup(AddressSpace& space, const BackupOptions& options);

}  // namespace cow::detail
