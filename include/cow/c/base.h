#ifndef COW_C_BASE_H
#define COW_C_BASE_H

/// @file
/// What every header for C has: versions, the last error, the handles. See <cow/cow.h>.

#include <stddef.h>
#include <stdint.h>

#include <cow/export.hpp>
#include <cow/version.hpp>

#ifdef __cplusplus
extern "C" {
#endif

/// The binary interface of these headers: a program that was compiled with a number runs with each
/// library that has the same SONAME and the same number or a larger one. It grows by one with each
/// release that adds something.
#define COW_ABI_VERSION 1

/// COW_ABI_VERSION of the library that the program runs with. Thread safe. Cost: none.
COW_API int cow_abi_version(void);

/// COW_VERSION of the library that the program runs with: cow::version(). Thread safe. Cost: none.
COW_API int cow_version(void);

/// What the library that the program runs with is made of, in lines: cow::build_info(). It is not
/// to be freed. Thread safe. Cost: none.
COW_API const char* cow_build_info(void);

/// What went wrong in the last function of this library that failed on this thread, in a sentence;
/// empty if none has. Like errno it is worth something only after a failure: successes leave it.
/// The text stays until the next failure on the thread and needs no memory, so that there is one
/// also when memory is what is missing. A long one (511 bytes and more) loses its middle. Thread
/// safe, each thread has its own. Cost: none.
COW_API const char* cow_last_error(void);

/// Gives back what a function of this library returned as an array or a string; free() must not.
/// Accepts NULL. Thread safe.
COW_API void cow_free(void* memory);

/// cow::Region: memory that can be cloned.
typedef struct cow_region cow_region;
/// cow::Snapshot: a handle of an immutable moment.
typedef struct cow_snapshot cow_snapshot;
/// cow::WriteLease: a range that the kernel may write to.
typedef struct cow_lease cow_lease;
/// cow::Backup: a backup that goes on or has ended.
typedef struct cow_backup cow_backup;
/// What Region::snapshots() returns: the living snapshots of a family.
typedef struct cow_history cow_history;

/// cow::PageRange: `page_count` pages from `first_page` on.
typedef struct cow_page_range {
  size_t first_page;  ///< counted from the beginning of the region
  size_t page_count;  ///< at least 1 in what the library returns
} cow_page_range;

#ifdef __cplusplus
}
#endif

#endif
