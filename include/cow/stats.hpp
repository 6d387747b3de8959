#pragma once

/// @file
/// Counters of a region and of the process.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <cow/export.hpp>
#include <cow/options.hpp>

namespace cow {

/// What one region is made of now and what it has done since it was created. Every page is
/// exactly one of zero, shared and private. With Mechanism::kernel no page is read-only: what the
/// kernel has copied since libcow looked is private, too, and every private page is writable.
struct RegionStats {
  Mechanism mechanism = Mechanism::handler;  ///< `handler` or `kernel`
  std::size_t page_bytes = 0;                ///< the granule: bytes in one page of this region
  std::size_t pages = 0;                     ///< pages in the region
  std::size_t pages_zero = 0;                ///< no frame yet: loads show zeros
  std::size_t pages_shared = 0;    ///< read-only, the frame is referenced by other tables too
  std::size_t pages_private = 0;   ///< the frame is referenced by this region alone
  std::size_t pages_writable = 0;  ///< those of `pages_private` whose next store does not fault
  std::size_t pages_leased = 0;    ///< those of `pages_writable` that a WriteLease keeps so
  std::uint64_t faults = 0;        ///< write faults taken by this region
  /// Pages copied so that the region could be stored to: by those faults, windows included, and by
  /// what does the same without one: a lease, a restore or a discard that is short of mappings. Not
  /// the copies that snapshots and eager clones make.
  std::uint64_t pages_copied = 0;
  std::uint64_t pages_upgraded = 0;     ///< sole-owner pages made writable without a copy
  std::uint64_t pages_zero_filled = 0;  ///< pages given a frame of zeros on their first store
  std::uint64_t pages_compared = 0;     ///< pages that restore() compared with the snapshot's
  std::uint64_t pages_restored = 0;     ///< pages whose bytes restore() copied back
  std::size_t mappings = 0;             ///< kernel mappings (lines of /proc/self/maps) it occupies
  std::size_t bytes_metadata = 0;       ///< page tables and counts in use by its whole family
};

/// Everything libcow holds in this process.
struct ProcessStats {
  std::size_t regions = 0;   ///< live regions
  std::size_t families = 0;  ///< live families; each has a frame file of its own
  /// Memory of frame files, without what is recycled, and with Mechanism::kernel what the kernel
  /// has copied for regions beside them.
  std::size_t bytes_in_use = 0;
  std::size_t frames_in_use = 0;    ///< the same in host pages
  std::size_t bytes_recycled = 0;   ///< memory of freed frames that are kept: see trim()
  std::size_t frames_recycled = 0;  ///< the same in host pages
  /// Memory of frame files of ancestors of this process, after fork(): it is kept for as long as a
  /// region, snapshot or child of this process may still show a frame of the file. Other processes
  /// that show frames of the same file count it, too.
  std::size_t bytes_inherited = 0;
  std::size_t bytes_metadata = 0;  ///< page tables and counts in use
  /// Kernel mappings that regions and mapped snapshots show their pages by, without those of page
  /// tables and the lists beside them.
  std::size_t mappings_in_use = 0;
  std::size_t mapping_budget = 0;  ///< how many they may occupy (from vm.max_map_count)
  /// Write faults resolved since the process started; a child made by fork() goes on counting where
  /// its parent was.
  std::uint64_t faults = 0;
};

/// What a snapshot, and a lazy clone, of a region would take now: see Region::estimate.
struct CostEstimate {
  std::chrono::nanoseconds snapshot{0};
  std::chrono::nanoseconds clone{0};
};

/// Reads the counters of the whole process. Thread safe. Throws std::system_error if the program
/// closed the descriptor of a family, or the kernel does not say what it has copied for
/// Mechanism::kernel; std::logic_error on a stack that lies in a region.
/// Cost: O(families), some system calls each.
COW_API ProcessStats process_stats();

/// Frames that nobody needs any more are kept for the next copy, which then costs half: within a
/// family at most as many as are in use, in the process at most a sixteenth of the machine's
/// memory. What they held can be seen through no page. They go back to the kernel by themselves
/// when no control call has needed them for a while, when memory is short, and with the last region
/// and snapshot of their family. This gives back all of them now, and first what was kept for
/// children of this process that have ended; returns how many bytes were recycled frames. Stores
/// wait for a fraction of a millisecond of it. Thread safe. Cost: O(frames given back + children).
COW_API std::size_t trim() noexcept;

}  // namespace cow
