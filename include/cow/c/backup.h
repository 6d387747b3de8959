#ifndef COW_C_BACKUP_H
#define COW_C_BACKUP_H

/// @file
/// Backups: the bytes of one moment, saved while the program goes on storing. See
/// <cow/backup.hpp>, and docs/backup.md.

#include <stddef.h>
#include <stdint.h>

#include <cow/c/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/// cow::BackupProgress: how far a backup is.
typedef struct cow_backup_progress {
  size_t struct_bytes;     ///< as COW_BACKUP_PROGRESS_INIT sets it
  uint64_t pages_done;     ///< pages looked at: saved, or found to be zeros
  uint64_t pages_total;    ///< pages of the region
  uint64_t bytes_written;  ///< to the file or descriptor so far
  /// Memory that there is because of the backup, now; where the kernel copies, without its copies.
  size_t extra_bytes;
} cow_backup_progress;
/// What a cow_backup_progress begins as.
#define COW_BACKUP_PROGRESS_INIT \
  { sizeof(cow_backup_progress), 0, 0, 0, 0 }

/// Called on the backup's own thread. Returns 0 to go on; anything else cancels (ECANCELED). What
/// it must not do says BackupOptions::progress.
typedef int (*cow_backup_function)(void* context, const cow_backup_progress* progress);

/// For cow_backup_options::longest_stall_ms.
#define COW_BACKUP_WAIT_FOR_EVER INT64_MAX

/// cow::BackupOptions.
typedef struct cow_backup_options {
  size_t struct_bytes;           ///< as COW_BACKUP_OPTIONS_INIT sets it
  size_t most_extra_bytes;       ///< the most memory for the backup's sake; 0: no limit
  int64_t longest_stall_ms;      ///< a destination that takes nothing for so long; 0: 10,000
  cow_backup_function progress;  ///< NULL: never called
  void* context;                 ///< what `progress` gets; must live until the backup has ended
} cow_backup_options;
/// What a cow_backup_options begins as.
#define COW_BACKUP_OPTIONS_INIT \
  { sizeof(cow_backup_options), 0, 0, NULL, NULL }

/// cow::BackupReport and cow::StoreWaits; times are nanoseconds.
typedef struct cow_backup_report {
  size_t struct_bytes;      ///< as COW_BACKUP_REPORT_INIT sets it
  uint64_t pages;           ///< with data, in the image
  uint64_t bytes_written;   ///< all of the image
  int64_t duration_ns;      ///< from the call of cow_region_backup() to the end
  int64_t cut_ns;           ///< of it, the moment for which all stores waited
  uint64_t waits;           ///< stores that waited because of the limit
  int64_t waits_p50_ns;     ///< of those, the median
  int64_t waits_p99_ns;     ///< the 99th percentile
  int64_t waits_max_ns;     ///< the longest
  int64_t waits_total_ns;   ///< all together
  size_t peak_extra_bytes;  ///< the most of cow_backup_progress::extra_bytes
} cow_backup_report;
/// What a cow_backup_report begins as.
#define COW_BACKUP_REPORT_INIT \
  { sizeof(cow_backup_report), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/// cow::BackupEstimate.
typedef struct cow_backup_estimate {
  size_t struct_bytes;       ///< as COW_BACKUP_ESTIMATE_INIT sets it
  uint64_t pages;            ///< with a frame
  uint64_t bytes_at_most;    ///< cow_backup_report::bytes_written is no more
  size_t least_extra_bytes;  ///< a smaller limit is refused
  size_t most_extra_bytes;   ///< no more is taken without a limit
  int64_t cut_ns;            ///< for how long all stores would wait, about
  int64_t duration_ns;       ///< of all of it, to a path, about
} cow_backup_estimate;
/// What a cow_backup_estimate begins as.
#define COW_BACKUP_ESTIMATE_INIT \
  { sizeof(cow_backup_estimate), 0, 0, 0, 0, 0, 0 }

/// Region::backup to a file that cow_region_load() reads. The region may be destroyed meanwhile.
COW_API int cow_region_backup(const cow_region* region, const char* path,
                              const cow_backup_options* options, cow_backup** backup);
/// Region::backup to a descriptor, which may be closed when the call returns.
COW_API int cow_region_backup_fd(const cow_region* region, int descriptor,
                                 const cow_backup_options* options, cow_backup** backup);
/// Region::estimate_backup: what cow_region_backup() would take now.
COW_API int cow_region_estimate_backup(const cow_region* region, const cow_backup_options* options,
                                       cow_backup_estimate* estimate);

/// Backup::wait: waits for the end, and returns what made the backup fail. `report` may be NULL.
/// May be called again. EDEADLK within the backup's own progress function.
COW_API int cow_backup_wait(cow_backup* backup, cow_backup_report* report);
/// Backup::done: 1 if cow_backup_wait() would return at once, else 0. 1 of NULL.
COW_API int cow_backup_done(const cow_backup* backup);
/// Backup::progress: how far it is.
COW_API int cow_backup_get_progress(const cow_backup* backup, cow_backup_progress* progress);
/// Backup::cancel: asks it to end. Accepts NULL.
COW_API void cow_backup_cancel(cow_backup* backup);
/// Cancels it if it has not ended, and waits for its end. Accepts NULL. Not for the backup's own
/// progress function, which would wait for itself.
COW_API void cow_backup_destroy(cow_backup* backup);

#ifdef __cplusplus
}
#endif

#endif
