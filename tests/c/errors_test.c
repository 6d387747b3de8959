// Errors from C: the errno value, the sentence, and that nothing was touched.

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#include "check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#endif

static void a_null_handle_is_einval_and_named(void) {
  cow_region* region = new_region(1);
  cow_snapshot* snapshot = snapshot_of(region);
  cow_region* out = region;
  cow_snapshot* shot = snapshot;
  const void* bytes = NULL;
  cow_page_range* ranges = NULL;
  size_t count = 0;
  FAILS(cow_region_create(1, NULL, NULL), EINVAL, "cow_region_create: the pointer for the result");
  FAILS(cow_region_clone(NULL, 0, &out), EINVAL, "cow_region_clone: the region is NULL");
  FAILS(cow_region_snapshot(NULL, 0, &shot), EINVAL, "cow_region_snapshot: the region is NULL");
  FAILS(cow_region_restore(region, NULL), EINVAL, "cow_region_restore: the snapshot is NULL");
  FAILS(cow_region_from_snapshot(NULL, &out), EINVAL, "the snapshot is NULL");
  FAILS(cow_region_from_bytes(NULL, 1, NULL, &out), EINVAL, "the array of bytes is NULL");
  FAILS(cow_region_open(NULL, NULL, &out), EINVAL, "the path is NULL");
  FAILS(cow_region_apply(region, NULL, 1, snapshot), EINVAL, "the array of ranges is NULL");
  FAILS(cow_snapshot_bytes(NULL, &bytes), EINVAL, "the snapshot is NULL");
  FAILS(cow_snapshot_set_label(snapshot, NULL), EINVAL, "the label is NULL");
  FAILS(cow_diff(snapshot, NULL, &ranges, &count), EINVAL, "cow_diff: the snapshot is NULL");
  FAILS(cow_diff(snapshot, snapshot, &ranges, NULL), EINVAL, "the pointer for the result");
  FAILS(cow_backup_wait(NULL, NULL), EINVAL, "the backup is NULL");
  FAILS(cow_publish(NULL, snapshot, NULL), EINVAL, "the name is NULL");
  FAILS(cow_region_get_stats(region, NULL), EINVAL, "the struct to fill is NULL");
  CHECK(out == region && shot == snapshot && bytes == NULL && ranges == NULL && count == 0);
  cow_snapshot_destroy(snapshot);
  cow_region_destroy(region);
}

static void misuse_is_einval_with_what_to_do(void) {
  cow_region* region = new_region(2);
  cow_region* other = new_region(2);
  cow_region* out = NULL;
  cow_lease* lease = NULL;
  const size_t size = cow_region_size(region);
  cow_snapshot* foreign = snapshot_of(other);
  *page_of(region, 0) = 3;
  FAILS(cow_region_create(0, NULL, &out), EINVAL, "the size is 0");
  FAILS(cow_region_clone(region, 7, &out), EINVAL, "enum cow_clone_mode");
  cow_snapshot* snapshot = NULL;
  FAILS(cow_region_snapshot(region, 7, &snapshot), EINVAL, "enum cow_snapshot_mode");
  FAILS(cow_region_restore(region, foreign), EINVAL, "family");
  FAILS(cow_region_discard(region, size, 1), EINVAL, "bytes");
  FAILS(cow_region_write_lease(region, 1, size, &lease), EINVAL, "bytes");
  FAILS(cow_region_grow(region, 2 * size), EINVAL, "most_bytes");
  FAILS(cow_region_load(NULL, 0, NULL, &out), EINVAL, "Region::load");
  cow_page_range past_end = {5, 1};
  FAILS(cow_region_apply(region, &past_end, 1, foreign), EINVAL, "Region::apply");
  FAILS(cow_attach("no/such", NULL, &out), EINVAL, "slash");
  CHECK(*page_of(region, 0) == 3 && cow_region_size(region) == size);
  CHECK(out == NULL && lease == NULL && snapshot == NULL);
  cow_snapshot_destroy(foreign);
  cow_region_destroy(other);
  cow_region_destroy(region);
}

static void options_of_another_size_are_read_as_far_as_they_go(void) {
  cow_region* region = NULL;
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.granule_bytes = 3;
  FAILS(cow_region_create(1, &options, &region), EINVAL, "granule_bytes");
  options.granule_bytes = 0;
  options.mechanism = 9;
  FAILS(cow_region_create(1, &options, &region), EINVAL, "enum cow_mechanism");
  options.mechanism = COW_MECHANISM_DEFAULT;
  options.struct_bytes = 0;
  FAILS(cow_region_create(1, &options, &region), EINVAL, "_INIT");
  struct {
    cow_region_options known;
    size_t unknown;
  } longer = {COW_REGION_OPTIONS_INIT, 1};
  longer.known.struct_bytes = sizeof longer;
  FAILS(cow_region_create(1, &longer.known, &region), E2BIG, "use a newer one");
  CHECK(region == NULL);
  longer.unknown = 0;
  OK(cow_region_create(1, &longer.known, &region));

  struct {
    cow_region_stats known;
    size_t unknown;
    size_t beyond;
  } stats = {COW_REGION_STATS_INIT, 5, 6};
  stats.known.struct_bytes = offsetof(__typeof__(stats), beyond);
  OK(cow_region_get_stats(region, &stats.known));
  CHECK(stats.known.pages == 1 && stats.unknown == 0 && stats.beyond == 6);
  CHECK(stats.known.struct_bytes == offsetof(__typeof__(stats), beyond));
  stats.known.struct_bytes = 8;
  FAILS(cow_region_get_stats(region, &stats.known), EINVAL, "struct_bytes is 8");
  cow_region_destroy(region);
}

static void what_the_system_refuses_has_its_errno_and_the_name_of_the_file(void) {
  cow_region* region = NULL;
  FAILS(cow_region_open("/no/such/file", NULL, &region), ENOENT, "/no/such/file");
  FAILS(cow_region_open_fd(-1, NULL, &region), EBADF, "descriptor -1");
  FAILS(cow_region_from_bytes((const void*)(uintptr_t)64, 64, NULL, &region), EFAULT, "");
  FAILS(cow_attach("libcow-no-such-template", NULL, &region), ENOENT, "libcow-no-such-template");
  FAILS(cow_unpublish("libcow-no-such-template"), ENOENT, "libcow-no-such-template");

  // A name that is longer than the sentence may be loses its middle, not the reason.
  static char name[5000];
  memset(name, 'x', sizeof name - 1);
  memcpy(name, "/begin", 6);
  FAILS(cow_region_open(name, NULL, &region), ENAMETOOLONG, "/begin");
  const char* const sentence = cow_last_error();
  CHECK(strlen(sentence) == 511 && strstr(sentence, " ... ") != NULL);
  CHECK(strstr(sentence, strerror(ENAMETOOLONG)) != NULL);
  CHECK(region == NULL);
}

static void without_memory_there_is_a_sentence(void) {
  cow_region* region = new_region(1);
  cow_snapshot* snapshot = snapshot_of(region);
  cow_page_range range = {0, 1};
  FAILS(cow_region_apply(region, &range, SIZE_MAX, snapshot), EINVAL, "than any program can have");
#ifndef HAS_SANITIZER  // which would end the program
  FAILS(cow_region_apply(region, &range, SIZE_MAX / 64, snapshot), ENOMEM, "there is no memory");
#endif
  cow_snapshot_destroy(snapshot);
  cow_region_destroy(region);
}

static void* fail_on_another_thread(void* none) {
  cow_region* region = NULL;
  CHECK(strcmp(cow_last_error(), "") == 0);
  FAILS(cow_region_open("/another/file", NULL, &region), ENOENT, "/another/file");
  return none;
}

static void the_last_error_is_its_thread_s(void) {
  cow_region* region = NULL;
  FAILS(cow_region_create(0, NULL, &region), EINVAL, "the size is 0");
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, fail_on_another_thread, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(strstr(cow_last_error(), "the size is 0") != NULL);
  OK(cow_region_create(1, NULL, &region));
  CHECK(strstr(cow_last_error(), "the size is 0") != NULL);  // worth something after failures alone
  cow_region_destroy(region);
}

int main(void) {
  a_null_handle_is_einval_and_named();
  misuse_is_einval_with_what_to_do();
  options_of_another_size_are_read_as_far_as_they_go();
  what_the_system_refuses_has_its_errno_and_the_name_of_the_file();
  without_memory_there_is_a_sentence();
  the_last_error_is_its_thread_s();
  return 0;
}
