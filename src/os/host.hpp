#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace cow::os {

/// The host's page size in bytes.
std::size_t page_bytes() noexcept;
/// `bytes` and what is missing to whole pages of the host.
inline std::size_t whole_pages(std::size_t bytes) noexcept {
  return (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
}

/// The memory this machine has, in bytes; 0 if the kernel does not say.
std::uint64_t memory_bytes() noexcept;

/// Whether hardly any memory is left for anybody, as far as the kernel says.
bool is_memory_short() noexcept;

/// What the system allows for memory that is shared, as frame files are.
struct HugePages {
  std::size_t bytes = 0;   ///< the size of one; 0: not allowed, or no such thing here
  bool by_advice = false;  ///< only for mappings that ask for them (Advice)
};

/// Reads /sys/kernel/mm/transparent_hugepage. Where it cannot be read, nothing is allowed.
HugePages allowed_huge_pages() noexcept;

/// vm.max_map_count; its default where /proc cannot be read.
std::size_t max_map_count() noexcept;

/// Kernel mappings this process has now (lines of /proc/self/maps); none where that cannot be read
/// to its end. Cost: O(mappings).
std::optional<std::size_t> count_mappings() noexcept;

/// CLOCK_MONOTONIC. Signal context: yes.
std::uint64_t monotonic_ns() noexcept;

}  // namespace cow::os
