#ifndef COW_C_REGION_H
#define COW_C_REGION_H

/// @file
/// Regions and leases. See <cow/region.hpp> and <cow/lease.hpp>.

#include <stddef.h>
#include <stdint.h>

#include <cow/c/base.h>
#include <cow/c/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Region::create: `size_bytes` zeros.
COW_API int cow_region_create(size_t size_bytes, const cow_region_options* options,
                              cow_region** region);
/// Region::open: the bytes of a file, which is read as they are touched and never written.
COW_API int cow_region_open(const char* path, const cow_region_options* options,
                            cow_region** region);
/// Region::open of a descriptor, which stays the caller's.
COW_API int cow_region_open_fd(int descriptor, const cow_region_options* options,
                               cow_region** region);
/// Region::from_bytes: a copy of `byte_count` bytes.
COW_API int cow_region_from_bytes(const void* bytes, size_t byte_count,
                                  const cow_region_options* options, cow_region** region);
/// Region::from_snapshot: a writable clone of the past.
COW_API int cow_region_from_snapshot(const cow_snapshot* snapshot, cow_region** region);
/// Region::clone; `mode` is a cow_clone_mode.
COW_API int cow_region_clone(const cow_region* region, int mode, cow_region** clone);
/// Gives the addresses and the frames back; clones and snapshots keep theirs, and with a lease
/// alive the addresses stay until the last one ends. Accepts NULL.
COW_API void cow_region_destroy(cow_region* region);

/// Region::data: the first byte. It stays where it is for the region's life. NULL of NULL.
COW_API void* cow_region_data(cow_region* region);
/// Region::size, in bytes. 0 of NULL.
COW_API size_t cow_region_size(const cow_region* region);
/// Region::page_bytes. 0 of NULL.
COW_API size_t cow_region_page_bytes(const cow_region* region);

/// Region::snapshot; `mode` is a cow_snapshot_mode.
COW_API int cow_region_snapshot(const cow_region* region, int mode, cow_snapshot** snapshot);
/// Region::restore: back to `snapshot`, at the same address. Keep other threads out.
COW_API int cow_region_restore(cow_region* region, const cow_snapshot* snapshot);
/// Region::apply: the pages of `ranges` become those of `from`. Keep other threads out.
COW_API int cow_region_apply(cow_region* region, const cow_page_range* ranges, size_t range_count,
                             const cow_snapshot* from);
/// Region::changed_since: as cow_diff(), of `snapshot` and now. `*ranges` is for cow_free().
COW_API int cow_region_changed_since(const cow_region* region, const cow_snapshot* snapshot,
                                     cow_page_range** ranges, size_t* range_count);
/// Region::discard: whole pages show zeros again, and their memory is given back.
COW_API int cow_region_discard(cow_region* region, size_t offset, size_t length);
/// Region::grow, at the same address, up to cow_region_options::most_bytes.
COW_API int cow_region_grow(cow_region* region, size_t new_size_bytes);
/// cow::describe: runs of pages, in lines for people. `*text` is for cow_free().
COW_API int cow_region_describe(const cow_region* region, char** text);

/// Region::snapshots: the living snapshots of the family, parents before children.
COW_API int cow_region_history(const cow_region* region, cow_history** history);
/// How many there are. 0 of NULL.
COW_API size_t cow_history_size(const cow_history* history);
/// A handle of the one at `index`, for cow_snapshot_destroy(), and where its parent is, or -1.
/// Either pointer may be NULL. EINVAL past the end.
COW_API int cow_history_at(const cow_history* history, size_t index, cow_snapshot** snapshot,
                           ptrdiff_t* parent);
/// Accepts NULL.
COW_API void cow_history_destroy(cow_history* history);

/// cow::CostEstimate: what calls would take now, in nanoseconds.
typedef struct cow_cost_estimate {
  size_t struct_bytes;  ///< as COW_COST_ESTIMATE_INIT sets it
  int64_t snapshot_ns;  ///< a snapshot
  int64_t clone_ns;     ///< a lazy clone
} cow_cost_estimate;
/// What a cow_cost_estimate begins as.
#define COW_COST_ESTIMATE_INIT \
  { sizeof(cow_cost_estimate), 0, 0 }

/// Region::estimate.
COW_API int cow_region_estimate(const cow_region* region, cow_cost_estimate* estimate);
/// Region::estimate_restore, in nanoseconds.
COW_API int cow_region_estimate_restore(const cow_region* region, const cow_snapshot* snapshot,
                                        int64_t* nanoseconds);

/// Called with the context it was given and the memory of the family, on a thread of libcow's.
typedef void (*cow_limit_function)(void* context, size_t bytes_in_use);
/// Region::limit_family_bytes: `when_reached` is called each time that the family's memory passes
/// `most_bytes`. NULL removes the limit. `context` must live until it was removed.
COW_API int cow_region_limit_family_bytes(cow_region* region, size_t most_bytes,
                                          cow_limit_function when_reached, void* context);

/// Region::write_lease: the kernel may write to `length` bytes from `offset` on until the lease is
/// destroyed: read(2), recv, O_DIRECT, io_uring.
COW_API int cow_region_write_lease(cow_region* region, size_t offset, size_t length,
                                   cow_lease** lease);
/// cow::write_lease: of an address, in whatever region it lies. `*lease` is NULL, and the result 0,
/// where it lies in none: there is nothing to do then. What goes past the region's end is cut off.
/// Unlike in C++ the handle takes memory, so this is not for signal handlers.
COW_API int cow_write_lease(void* address, size_t length, cow_lease** lease);
/// First byte of the range. NULL of NULL.
COW_API void* cow_lease_data(const cow_lease* lease);
/// Bytes of the range. 0 of NULL.
COW_API size_t cow_lease_size(const cow_lease* lease);
/// Ends the lease. Any thread may. Accepts NULL.
COW_API void cow_lease_destroy(cow_lease* lease);

#ifdef __cplusplus
}
#endif

#endif
