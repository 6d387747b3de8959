#pragma once

#include <cstddef>
#include <cstdint>

namespace cow {

/// How far a fault must go so as not to add mappings.
struct MappingShortage {
  std::uint64_t reach_pages = 0;  ///< join the nearest private page no further away than this
  std::uint64_t block_pages = 0;  ///< make an aligned block of so many pages private
  /// And where there were no page tables yet: among pages that show zeros, which takes a leaf for
  /// each 512 of them and no frame; and among those that show a file, which takes copies.
  std::uint64_t untouched_pages = 0;
  std::uint64_t file_pages = 0;

  [[nodiscard]] bool any() const noexcept { return reach_pages > 0 || block_pages > 0; }
};

namespace mapping_budget {

/// The kernel gives a process `vm.max_map_count` mappings. libcow counts its own and widens its
/// windows as they run out, so that no store ever fails for want of one.
/// All functions are thread safe. Signal context: yes, unless said otherwise.

/// Reads the limit and what others in this process use now. Cost: O(mappings); control calls only.
void measure() noexcept;

/// The kernel has refused a mapping: others have taken what we counted on. Gives back the spare
/// mappings, or waits until another thread has, and counts nothing as free from now on, until the
/// next measure(). The caller holds signals masked: it may wait for a lock.
void note_exhausted() noexcept;
/// A control call may take the spare mappings again before the caller can have one of them, after
/// a look at all mappings, which takes longer than an attempt: so often it is worth trying again.
inline constexpr int kAttempts = 8;
/// After fork(), in the child.
void forget_other_threads() noexcept;

/// Whether the kernel's mappings are used up now but for those that note_exhausted() gives back:
/// what it refused was refused for that, and not for memory. Cost: O(mappings); control calls only.
bool is_used_up() noexcept;

/// Whether measure() should run: it never has, mappings turned out to be exhausted since, or they
/// were short a while ago.
bool needs_measuring() noexcept;

/// What regions and mapped snapshots may occupy.
std::size_t limit() noexcept;
std::size_t in_use() noexcept;
void add(std::int64_t change) noexcept;

/// How many may still be taken by one control call, leaving half of what is left to faults.
std::size_t spendable() noexcept;

/// What faults should do about it now. Steps up as mappings run out.
MappingShortage shortage() noexcept;

}  // namespace mapping_budget
}  // namespace cow
