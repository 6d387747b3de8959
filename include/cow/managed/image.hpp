#pragma once

// The first bytes of a region that holds a managed segment. Included by <cow/managed_region.hpp>.

#include <cstddef>
#include <cstdint>
#include <span>

#include <cow/export.hpp>

namespace cow::detail {

/// What decides whether a program can use the segment that another one made.
struct ManagedLayout {
  std::uint32_t boost_version = 0;    ///< BOOST_VERSION: the segment manager is Boost's
  std::uint32_t pointer_bytes = 0;    ///< sizeof(void*)
  std::uint32_t manager_bytes = 0;    ///< sizeof(SegmentManager)
  std::uint32_t block_alignment = 0;  ///< of every block in the segment

  friend bool operator==(const ManagedLayout&, const ManagedLayout&) = default;
};

/// Bytes from the start of the region to its segment.
inline constexpr std::size_t managed_header_bytes = 64;

/// Writes the header of a segment that may grow to the end of `region`.
COW_API void write_managed_header(std::span<std::byte> region, const ManagedLayout& layout);

/// Throws std::invalid_argument, with a sentence beginning with `call`, unless `region` begins with
/// a header of this version and of `layout` and is as long as the header says.
COW_API void check_managed_header(std::span<const std::byte> region, const ManagedLayout& layout,
                                  const char* call);

/// The same for what only the segment knows: its size now, and the size it may grow to.
COW_API void check_managed_sizes(std::size_t region_bytes, std::size_t segment_bytes,
                                 std::size_t limit_bytes, const char* call);

}  // namespace cow::detail
