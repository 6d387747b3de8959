#pragma once

// Memory, mappings and page faults as the kernel counts them, with nothing of libcow's books.

#include <cstddef>
#include <cstdint>
#include <span>

#include "stores.hpp"

namespace cow_bench {

/// What /proc/self/smaps says of some ranges of addresses. A mapping that reaches beyond them
/// counts as a whole, and one that shows several of them once: the kernel joins neighbours that are
/// alike.
struct RangeUse {
  std::size_t mappings = 0;       ///< lines of /proc/self/maps
  std::size_t pss = 0;            ///< bytes, each page divided by the number of those who map it
  std::size_t anonymous = 0;      ///< bytes that belong to no file
  std::size_t private_dirty = 0;  ///< bytes written to that nobody else maps
};

/// Throws std::runtime_error where this kernel has no /proc/self/smaps.
[[nodiscard]] RangeUse use_of(std::span<const Pages> ranges);
[[nodiscard]] inline RangeUse use_of(const Pages& pages) { return use_of(std::span(&pages, 1)); }

/// Bytes of all frame files of this process, whoever maps them.
/// Throws std::runtime_error where there is no /proc/self/fd.
[[nodiscard]] std::size_t frame_file_bytes();

/// Bytes of the processor's page tables of this process (VmPTE).
[[nodiscard]] std::size_t page_table_bytes();

/// Page faults of this thread that needed no disk.
[[nodiscard]] std::uint64_t minor_faults();

/// The most mappings a process may have; 0 if the kernel does not tell.
[[nodiscard]] std::size_t max_map_count();

}  // namespace cow_bench
