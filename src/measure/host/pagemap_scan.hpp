#pragma once

// The kernel's interfaces that are newer than the headers of Debian 12.

namespace cow::measure {

inline constexpr int kUserModeOnly = 1;  ///< UFFD_USER_MODE_ONLY

/// PAGEMAP_SCAN of the page at `address` of this process: 0 or an errno value. Linux 6.7.
[[nodiscard]] int scan_own_page(void* address);

}  // namespace cow::measure
