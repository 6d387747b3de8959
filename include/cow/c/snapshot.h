#ifndef COW_C_SNAPSHOT_H
#define COW_C_SNAPSHOT_H

/// @file
/// Snapshots, what differs between two, and merging. See <cow/snapshot.hpp> and <cow/merge.hpp>.

#include <stddef.h>
#include <stdint.h>

#include <cow/c/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Another handle of the same snapshot, which lives until its last one is destroyed.
COW_API int cow_snapshot_copy(const cow_snapshot* snapshot, cow_snapshot** copy);
/// Gives up a handle. Accepts NULL.
COW_API void cow_snapshot_destroy(cow_snapshot* snapshot);

/// Size in bytes, as the region's was. 0 of NULL.
COW_API size_t cow_snapshot_size(const cow_snapshot* snapshot);
/// Bytes in one page, the unit of cow_diff(). 0 of NULL.
COW_API size_t cow_snapshot_page_bytes(const cow_snapshot* snapshot);
/// Snapshot::bytes: cow_snapshot_size() of them, read-only, for as long as a handle lives. The
/// first call maps them.
COW_API int cow_snapshot_bytes(const cow_snapshot* snapshot, const void** bytes);
/// Snapshot::reclaimable_bytes: what dropping the last handle would give back now.
COW_API int cow_snapshot_reclaimable_bytes(const cow_snapshot* snapshot, size_t* bytes);
/// Snapshot::estimate_drop, in nanoseconds.
COW_API int cow_snapshot_estimate_drop(const cow_snapshot* snapshot, int64_t* nanoseconds);
/// Snapshot::set_label: a name for people, which all handles of it have.
COW_API int cow_snapshot_set_label(cow_snapshot* snapshot, const char* label);
/// Snapshot::label. `*label` is for cow_free(); empty until it is set.
COW_API int cow_snapshot_label(const cow_snapshot* snapshot, char** label);
/// Snapshot::taken_at, in nanoseconds since 1970 by the system's clock.
COW_API int cow_snapshot_taken_at(const cow_snapshot* snapshot, int64_t* nanoseconds);

/// cow::diff: the pages that a store may have changed between two snapshots of a family, ascending,
/// neighbours joined. `*ranges` is for cow_free(), and NULL where there are none.
COW_API int cow_diff(const cow_snapshot* from, const cow_snapshot* to, cow_page_range** ranges,
                     size_t* range_count);

/// cow::MergeConflict: bytes that both sides changed in different ways. Valid during the call.
typedef struct cow_merge_conflict {
  size_t struct_bytes;  ///< bytes of this struct as the library knows it
  size_t offset;        ///< of the first byte, in the region
  size_t length;        ///< bytes of each of these
  const void* base;     ///< as they were in the common ancestor
  const void* ours;     ///< as our side has them
  const void* theirs;   ///< as the other side has them
  void* result;         ///< holds the bytes of ours; what is left in it is taken
} cow_merge_conflict;

/// Decides a conflict by writing `result`, and returns 0. Any other value ends the merge, which
/// returns it: an errno value.
typedef int (*cow_merge_resolver)(void* context, const cow_merge_conflict* conflict);

/// cow::MergeOptions, and cow::merge's resolver.
typedef struct cow_merge_options {
  size_t struct_bytes;          ///< as COW_MERGE_OPTIONS_INIT sets it
  size_t unit_bytes;            ///< what is changed as a whole; 0: 1
  cow_merge_resolver resolver;  ///< NULL: pages that both sides changed show ours
  void* context;                ///< what the resolver gets
} cow_merge_options;
/// What a cow_merge_options begins as.
#define COW_MERGE_OPTIONS_INIT \
  { sizeof(cow_merge_options), 0, NULL, NULL }

/// cow::MergeResult, but for the region.
typedef struct cow_merge_report {
  size_t struct_bytes;        ///< as COW_MERGE_REPORT_INIT sets it
  cow_page_range* conflicts;  ///< pages that both sides changed, for cow_free(); NULL for none
  size_t conflict_count;      ///< how many ranges
  size_t pages_from_ours;     ///< pages that only ours changed, or both in the same way
  size_t pages_from_theirs;   ///< pages that only theirs changed
  size_t stretches_resolved;  ///< calls of the resolver
} cow_merge_report;
/// What a cow_merge_report begins as.
#define COW_MERGE_REPORT_INIT \
  { sizeof(cow_merge_report), NULL, 0, 0, 0, 0 }

/// cow::merge: a new region of the family with the changes of both sides since `base`. `report` may
/// be NULL.
COW_API int cow_merge(const cow_snapshot* base, const cow_snapshot* ours,
                      const cow_snapshot* theirs, const cow_merge_options* options,
                      cow_region** merged, cow_merge_report* report);

#ifdef __cplusplus
}
#endif

#endif
