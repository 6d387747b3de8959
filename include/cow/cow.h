#ifndef COW_COW_H
#define COW_COW_H

/// @file
/// The whole library for C, and for whatever calls C.
///
/// | header | what it has |
/// |---|---|
/// | <cow/c/base.h> | versions, cow_last_error(), cow_free(), the handles |
/// | <cow/c/options.h> | cow_region_options |
/// | <cow/c/region.h> | cow_region: create, clone, restore, discard, grow, leases |
/// | <cow/c/snapshot.h> | cow_snapshot, cow_diff(), cow_merge() |
/// | <cow/c/files.h> | saving snapshots and loading them |
/// | <cow/c/backup.h> | cow_backup |
/// | <cow/c/publish.h> | cow_publish() and cow_attach() |
/// | <cow/c/process.h> | counters, cow_trim(), the signal handler |
///
/// The rules for all of it:
/// - A function that can fail returns 0 or an errno value, and cow_last_error() has a sentence. It
///   gives its results through its last parameters, which it does not touch when it fails; then
///   everything else is as it was before the call, too. Those that return something else cannot
///   fail.
/// - Misuse is EINVAL: a null handle, a size of 0, a snapshot of another family. The operating
///   system refusing is its errno, no memory is ENOMEM, and anything that nobody foresaw EIO.
///   Sentences speak of C++'s names: RegionOptions::most_bytes is cow_region_options::most_bytes.
/// - No exception comes out of any function, and a callback may throw none: C++ that does all the
///   same gets it back as an error, where the callback runs within a call. The unwinding of
///   pthread_cancel() and pthread_exit() is no error and goes through.
/// - A handle is the caller's and is destroyed by the function of its name, which accepts NULL.
///   Handles know of no order: a snapshot may outlive its region, a lease too.
/// - Structs that may grow begin with `struct_bytes`, which the macro ..._INIT sets. All else in
///   options is 0 for what is usual, and NULL for the options themselves is the same. A newer
///   program may give an older library longer options: what that does not know must be 0, or it is
///   E2BIG. A longer struct of results is filled as far as the library knows it, the rest with 0.
/// - Threads: as in C++. What one handle stands for may be used by many threads at once where
///   cow.hpp's class says so; a handle is destroyed when nobody uses it any more.
///
/// docs/c-api.md is the guide. What is not said here about meaning and cost stands at the function
/// of C++, which each comment names.

#include <cow/c/backup.h>
#include <cow/c/base.h>
#include <cow/c/files.h>
#include <cow/c/options.h>
#include <cow/c/process.h>
#include <cow/c/publish.h>
#include <cow/c/region.h>
#include <cow/c/snapshot.h>

#endif
