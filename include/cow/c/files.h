#ifndef COW_C_FILES_H
#define COW_C_FILES_H

/// @file
/// Saving snapshots and loading them. See <cow/image.hpp>, and docs/file-format.md.

#include <stddef.h>
#include <stdint.h>

#include <cow/c/base.h>
#include <cow/c/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/// cow::SaveProgress: how far a save is.
typedef struct cow_save_progress {
  size_t struct_bytes;     ///< bytes of this struct as the library knows it
  uint64_t pages_done;     ///< pages looked at: written, or found to be zeros
  uint64_t pages_total;    ///< pages that the image is about
  uint64_t bytes_written;  ///< of pages, to the file so far
} cow_save_progress;

/// Called on the thread that saves. Returns 0 to go on; anything else cancels (ECANCELED).
typedef int (*cow_save_function)(void* context, const cow_save_progress* progress);

/// cow::SaveOptions.
typedef struct cow_save_options {
  size_t struct_bytes;         ///< as COW_SAVE_OPTIONS_INIT sets it
  cow_save_function progress;  ///< called about every 16 MiB, and at the end; NULL: never
  void* context;               ///< what `progress` gets
} cow_save_options;
/// What a cow_save_options begins as.
#define COW_SAVE_OPTIONS_INIT \
  { sizeof(cow_save_options), NULL, NULL }

/// Snapshot::save: a complete image, which replaces the file when all of it is on the disk.
COW_API int cow_snapshot_save(const cow_snapshot* snapshot, const char* path,
                              const cow_save_options* options);
/// Snapshot::save_delta: the pages alone that differ from `base`.
COW_API int cow_snapshot_save_delta(const cow_snapshot* snapshot, const cow_snapshot* base,
                                    const char* path, const cow_save_options* options);

/// cow::LoadMode: how the pages of the first image are taken.
typedef enum cow_load_mode {
  COW_LOAD_COPIED = 0,  ///< read, checked and copied
  COW_LOAD_MAPPED = 1,  ///< mapped: read when they are touched
} cow_load_mode;

/// cow::LoadOptions.
typedef struct cow_load_options {
  size_t struct_bytes;               ///< as COW_LOAD_OPTIONS_INIT sets it
  const cow_region_options* region;  ///< of the region; NULL for what is usual
  int mode;                          ///< a cow_load_mode
  int reserved;                      ///< 0
} cow_load_options;
/// What a cow_load_options begins as.
#define COW_LOAD_OPTIONS_INIT \
  { sizeof(cow_load_options), NULL, COW_LOAD_COPIED, 0 }

/// Region::load: a complete image and the deltas that follow it, in the order in which they were
/// saved. A file that was cut, changed or is not the next one is EBADMSG.
COW_API int cow_region_load(const char* const* paths, size_t path_count,
                            const cow_load_options* options, cow_region** region);

#ifdef __cplusplus
}
#endif

#endif
