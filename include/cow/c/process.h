#ifndef COW_C_PROCESS_H
#define COW_C_PROCESS_H

/// @file
/// Counters of a region and of the process, and the signal handler. See <cow/stats.hpp> and
/// <cow/fault.hpp>.

#include <stddef.h>
#include <stdint.h>

#include <cow/c/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/// cow::RegionStats: what a region is made of and what it has done.
typedef struct cow_region_stats {
  size_t struct_bytes;         ///< as COW_REGION_STATS_INIT sets it
  size_t page_bytes;           ///< bytes in one page
  size_t pages;                ///< pages in the region
  size_t pages_zero;           ///< no frame yet
  size_t pages_shared;         ///< the frame is referenced by other tables too
  size_t pages_private;        ///< the frame is referenced by this region alone
  size_t pages_writable;       ///< of `pages_private`, those whose next store does not fault
  size_t pages_leased;         ///< of `pages_writable`, those that a lease keeps so
  uint64_t faults;             ///< write faults
  uint64_t pages_copied;       ///< pages copied so that they could be stored to
  uint64_t pages_upgraded;     ///< pages made writable without a copy
  uint64_t pages_zero_filled;  ///< pages given a frame of zeros
  uint64_t pages_compared;     ///< pages that restores compared
  uint64_t pages_restored;     ///< pages whose bytes restores copied back
  size_t mappings;             ///< kernel mappings it occupies
  size_t bytes_metadata;       ///< page tables and counts of its family
  int mechanism;               ///< COW_MECHANISM_HANDLER or COW_MECHANISM_KERNEL
  int reserved;                ///< 0
} cow_region_stats;
/// What a cow_region_stats begins as.
#define COW_REGION_STATS_INIT \
  { sizeof(cow_region_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/// Region::stats.
COW_API int cow_region_get_stats(const cow_region* region, cow_region_stats* stats);

/// cow::ProcessStats: everything libcow holds in this process.
typedef struct cow_process_stats {
  size_t struct_bytes;     ///< as COW_PROCESS_STATS_INIT sets it
  size_t regions;          ///< live regions
  size_t families;         ///< live families
  size_t bytes_in_use;     ///< memory of frame files, without what is recycled
  size_t frames_in_use;    ///< the same in host pages
  size_t bytes_recycled;   ///< memory of freed frames that are kept
  size_t frames_recycled;  ///< the same in host pages
  size_t bytes_inherited;  ///< memory of frame files of ancestors, after fork()
  size_t bytes_metadata;   ///< page tables and counts in use
  size_t mappings_in_use;  ///< kernel mappings of regions and mapped snapshots, not of page tables
  size_t mapping_budget;   ///< how many they may occupy
  uint64_t faults;         ///< write faults resolved
} cow_process_stats;
/// What a cow_process_stats begins as.
#define COW_PROCESS_STATS_INIT \
  { sizeof(cow_process_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/// cow::process_stats.
COW_API int cow_process_get_stats(cow_process_stats* stats);

/// cow::trim: gives freed frames that are kept back to the kernel; returns how many bytes they are.
COW_API size_t cow_trim(void);

/// cow::owns_sigsegv: 1 while libcow's action is the process's SIGSEGV action, else 0.
/// Async-signal-safe.
COW_API int cow_owns_sigsegv(void);
/// cow::reinstall_handler: puts libcow's SIGSEGV action in front again.
COW_API int cow_reinstall_handler(void);
/// cow::try_handle_fault, for a handler that stays in front: 1 when the fault was a store to a
/// region and is resolved, 0 when it is not ours. Async-signal-safe.
COW_API int cow_try_handle_fault(int signal, void* siginfo, void* context);

#ifdef __cplusplus
}
#endif

#endif
