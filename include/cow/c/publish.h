#ifndef COW_C_PUBLISH_H
#define COW_C_PUBLISH_H

/// @file
/// Templates, from which unrelated processes start. See <cow/publish.hpp>, and docs/templates.md.

#include <stddef.h>

#include <cow/c/base.h>
#include <cow/c/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/// cow::PublishOptions.
typedef struct cow_publish_options {
  size_t struct_bytes;    ///< as COW_PUBLISH_OPTIONS_INIT sets it
  unsigned mode;          ///< who may read the template, by its permission bits; 0: 0600
  int leave_zeros_holes;  ///< not 0: zeros between data take no memory (reserve_zeros = false)
} cow_publish_options;
/// What a cow_publish_options begins as.
#define COW_PUBLISH_OPTIONS_INIT \
  { sizeof(cow_publish_options), 0, 0 }

/// cow::publish: `snapshot` becomes the template `name` of this machine.
COW_API int cow_publish(const char* name, const cow_snapshot* snapshot,
                        const cow_publish_options* options);
/// cow::publish without a name: `*descriptor` is the caller's, to pass on and to close.
COW_API int cow_publish_fd(const cow_snapshot* snapshot, int* descriptor);
/// cow::attach: a writable region with the bytes of the template, which shares its frames.
COW_API int cow_attach(const char* name, const cow_region_options* options, cow_region** region);
/// cow::attach of a descriptor, which stays the caller's.
COW_API int cow_attach_fd(int descriptor, const cow_region_options* options, cow_region** region);
/// cow::unpublish: takes the name away; who has attached the template keeps it.
COW_API int cow_unpublish(const char* name);

#ifdef __cplusplus
}
#endif

#endif
