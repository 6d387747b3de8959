#ifndef COW_C_OPTIONS_H
#define COW_C_OPTIONS_H

/// @file
/// Choices made when a region or a clone is made. See <cow/options.hpp> for what they mean.

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// cow::Mechanism: who copies a page that is stored to.
typedef enum cow_mechanism {
  COW_MECHANISM_DEFAULT = 0,    ///< what the variable COW_MECHANISM says, or the handler
  COW_MECHANISM_HANDLER = 1,    ///< libcow, in a handler of SIGSEGV
  COW_MECHANISM_KERNEL = 2,     ///< the kernel; ENOTSUP or its errno where it cannot
  COW_MECHANISM_AUTOMATIC = 3,  ///< the kernel where it can be had, otherwise the handler
} cow_mechanism;

/// cow::CloneMode: how a clone is made.
typedef enum cow_clone_mode {
  COW_CLONE_LAZY = 0,   ///< share every frame, copy a page when either side stores to it
  COW_CLONE_EAGER = 1,  ///< copy every byte now
} cow_clone_mode;

/// cow::SnapshotMode: what the caller of cow_region_snapshot() promises.
typedef enum cow_snapshot_mode {
  COW_SNAPSHOT_CONCURRENT = 0,  ///< nothing: threads may store during the call
  COW_SNAPSHOT_QUIESCENT = 1,   ///< no thread stores to the region during the call
} cow_snapshot_mode;

/// cow::RegionOptions: choices that hold for a whole family. 0 is what is usual.
typedef struct cow_region_options {
  size_t struct_bytes;      ///< as COW_REGION_OPTIONS_INIT sets it
  size_t granule_bytes;     ///< bytes protected and copied as one page; 0: the host's page
  size_t max_window_pages;  ///< the most pages that one fault may take along; 0: 64
  size_t most_bytes;        ///< up to where cow_region_grow() may go; 0: it cannot grow
  int mechanism;            ///< a cow_mechanism
  int reserve_frames;       ///< not 0: no store may ever fail for want of memory
  int huge_pages;           ///< not 0: the kernel may use huge pages
  int keep_out_of_cores;    ///< not 0: the bytes are left out of core dumps
} cow_region_options;

/// What a cow_region_options begins as.
#define COW_REGION_OPTIONS_INIT \
  { sizeof(cow_region_options), 0, 0, 0, COW_MECHANISM_DEFAULT, 0, 0, 0 }

#ifdef __cplusplus
}
#endif

#endif
