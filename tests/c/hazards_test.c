// What a program in C may do wrong, or all at once: NULL everywhere, sizes without bounds, many
// threads, children, functions that are called back and call the library, the end of the program.

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

// c_api_test.py sees to it that none is missing: whatever takes a pointer and may fail.
static void every_function_says_of_null_that_it_is_null_and_names_itself(void) {
  FAILS(cow_attach(NULL, NULL, NULL), EINVAL, "cow_attach: ");
  FAILS(cow_attach_fd(-1, NULL, NULL), EINVAL, "cow_attach_fd: ");
  FAILS(cow_backup_get_progress(NULL, NULL), EINVAL, "cow_backup_get_progress: ");
  FAILS(cow_backup_wait(NULL, NULL), EINVAL, "cow_backup_wait: ");
  FAILS(cow_diff(NULL, NULL, NULL, NULL), EINVAL, "cow_diff: ");
  FAILS(cow_history_at(NULL, 0, NULL, NULL), EINVAL, "cow_history_at: ");
  FAILS(cow_merge(NULL, NULL, NULL, NULL, NULL, NULL), EINVAL, "cow_merge: ");
  FAILS(cow_process_get_stats(NULL), EINVAL, "cow_process_get_stats: ");
  FAILS(cow_publish(NULL, NULL, NULL), EINVAL, "cow_publish: ");
  FAILS(cow_publish_fd(NULL, NULL), EINVAL, "cow_publish_fd: ");
  FAILS(cow_region_apply(NULL, NULL, 0, NULL), EINVAL, "cow_region_apply: ");
  FAILS(cow_region_backup(NULL, NULL, NULL, NULL), EINVAL, "cow_region_backup: ");
  FAILS(cow_region_backup_fd(NULL, -1, NULL, NULL), EINVAL, "cow_region_backup_fd: ");
  FAILS(cow_region_changed_since(NULL, NULL, NULL, NULL), EINVAL, "cow_region_changed_since: ");
  FAILS(cow_region_clone(NULL, 0, NULL), EINVAL, "cow_region_clone: ");
  FAILS(cow_region_create(1, NULL, NULL), EINVAL, "cow_region_create: ");
  FAILS(cow_region_describe(NULL, NULL), EINVAL, "cow_region_describe: ");
  FAILS(cow_region_discard(NULL, 0, 0), EINVAL, "cow_region_discard: ");
  FAILS(cow_region_estimate(NULL, NULL), EINVAL, "cow_region_estimate: ");
  FAILS(cow_region_estimate_backup(NULL, NULL, NULL), EINVAL, "cow_region_estimate_backup: ");
  FAILS(cow_region_estimate_restore(NULL, NULL, NULL), EINVAL, "cow_region_estimate_restore: ");
  FAILS(cow_region_from_bytes(NULL, 0, NULL, NULL), EINVAL, "cow_region_from_bytes: ");
  FAILS(cow_region_from_snapshot(NULL, NULL), EINVAL, "cow_region_from_snapshot: ");
  FAILS(cow_region_get_stats(NULL, NULL), EINVAL, "cow_region_get_stats: ");
  FAILS(cow_region_grow(NULL, 0), EINVAL, "cow_region_grow: ");
  FAILS(cow_region_history(NULL, NULL), EINVAL, "cow_region_history: ");
  FAILS(cow_region_limit_family_bytes(NULL, 0, NULL, NULL), EINVAL,
        "cow_region_limit_family_bytes: ");
  FAILS(cow_region_load(NULL, 0, NULL, NULL), EINVAL, "cow_region_load: ");
  FAILS(cow_region_open(NULL, NULL, NULL), EINVAL, "cow_region_open: ");
  FAILS(cow_region_open_fd(-1, NULL, NULL), EINVAL, "cow_region_open_fd: ");
  FAILS(cow_region_restore(NULL, NULL), EINVAL, "cow_region_restore: ");
  FAILS(cow_region_snapshot(NULL, 0, NULL), EINVAL, "cow_region_snapshot: ");
  FAILS(cow_region_write_lease(NULL, 0, 0, NULL), EINVAL, "cow_region_write_lease: ");
  FAILS(cow_snapshot_bytes(NULL, NULL), EINVAL, "cow_snapshot_bytes: ");
  FAILS(cow_snapshot_copy(NULL, NULL), EINVAL, "cow_snapshot_copy: ");
  FAILS(cow_snapshot_estimate_drop(NULL, NULL), EINVAL, "cow_snapshot_estimate_drop: ");
  FAILS(cow_snapshot_label(NULL, NULL), EINVAL, "cow_snapshot_label: ");
  FAILS(cow_snapshot_reclaimable_bytes(NULL, NULL), EINVAL, "cow_snapshot_reclaimable_bytes: ");
  FAILS(cow_snapshot_save(NULL, NULL, NULL), EINVAL, "cow_snapshot_save: ");
  FAILS(cow_snapshot_save_delta(NULL, NULL, NULL, NULL), EINVAL, "cow_snapshot_save_delta: ");
  FAILS(cow_snapshot_set_label(NULL, NULL), EINVAL, "cow_snapshot_set_label: ");
  FAILS(cow_snapshot_taken_at(NULL, NULL), EINVAL, "cow_snapshot_taken_at: ");
  FAILS(cow_unpublish(NULL), EINVAL, "cow_unpublish: ");
  FAILS(cow_write_lease(NULL, 1, NULL), EINVAL, "cow_write_lease: ");
}

static void a_size_or_range_without_bounds_is_refused_and_changes_nothing(void) {
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  cow_region* out = NULL;
  for (size_t less = 0; less < 3; ++less) {
    FAILS(cow_region_create(SIZE_MAX - less, NULL, &out), EINVAL, "bytes");
    options.most_bytes = SIZE_MAX - less;
    CHECK(cow_region_create(1, &options, &out) != 0);
    options.most_bytes = 0;
    options.granule_bytes = SIZE_MAX - less;
    CHECK(cow_region_create(1, &options, &out) != 0);
    options.granule_bytes = 0;
  }
  CHECK(out == NULL);
  cow_region* region = new_region(4);
  *page_of(region, 3) = 1;
  cow_snapshot* snapshot = snapshot_of(region);
  cow_lease* lease = NULL;
  FAILS(cow_region_discard(region, SIZE_MAX, 2), EINVAL, "bytes");
  FAILS(cow_region_discard(region, 1, SIZE_MAX), EINVAL, "bytes");
  FAILS(cow_region_write_lease(region, SIZE_MAX, 2, &lease), EINVAL, "bytes");
  FAILS(cow_region_write_lease(region, 2, SIZE_MAX, &lease), EINVAL, "bytes");
  FAILS(cow_region_grow(region, SIZE_MAX), EINVAL, "most_bytes");
  const cow_page_range ranges[] = {{SIZE_MAX, 2}, {1, SIZE_MAX}, {4, 1}, {0, 5}};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; ++i) {
    FAILS(cow_region_apply(region, ranges + i, 1, snapshot), EINVAL, "page");
  }
  CHECK(lease == NULL && *page_of(region, 3) == 1);
  OK(cow_write_lease(cow_region_data(region), SIZE_MAX, &lease));  // cut off at the region's end
  CHECK(cow_lease_size(lease) == cow_region_size(region));
  cow_lease_destroy(lease);
  cow_snapshot_destroy(snapshot);
  cow_region_destroy(region);
}

static void* come_and_go(void* shared) {
  cow_region* const region = shared;
  for (int i = 0; i < 100; ++i) {
    cow_region* clone = NULL;
    OK(cow_region_clone(region, COW_CLONE_LAZY, &clone));
    cow_snapshot* past = snapshot_of(clone);
    *page_of(clone, 1) = 9;
    OK(cow_region_restore(clone, past));
    CHECK(*page_of(clone, 1) == 1);
    cow_region* none = NULL;
    FAILS(cow_region_create(0, NULL, &none), EINVAL, "the size is 0");
    cow_history* history = NULL;
    OK(cow_region_history(region, &history));
    cow_history_destroy(history);
    cow_region_destroy(clone);
    cow_snapshot_destroy(past);
  }
  return NULL;
}

static void handles_come_and_go_on_many_threads(void) {
  cow_region* region = new_region(4);
  *page_of(region, 1) = 1;
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) CHECK(pthread_create(threads + i, NULL, come_and_go, region) == 0);
  for (int i = 0; i < 4; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  cow_region_destroy(region);
  cow_process_stats stats = COW_PROCESS_STATS_INIT;
  OK(cow_process_get_stats(&stats));
  CHECK(stats.regions == 0);
}

// What functions that are called back find.
typedef struct scene {
  cow_region* region;
  cow_snapshot* snapshot;
  cow_backup* volatile backup;
  int waits;
  int ends[2];
} scene;

static int save_and_go_on(void* context, const cow_save_progress* progress) {
  scene* const seen = context;
  CHECK(progress->pages_total == 4);
  *page_of(seen->region, 0) = 5;
  OK(cow_region_restore(seen->region, seen->snapshot));
  cow_snapshot_destroy(snapshot_of(seen->region));
  return 0;
}

static int wait_for_oneself(void* context, const cow_backup_progress* progress) {
  scene* const seen = context;
  char byte;
  if (progress->pages_done == 0 || seen->waits != 0) return 0;
  CHECK(read(seen->ends[0], &byte, 1) == 1);  // until there is a handle
  cow_backup_progress again = COW_BACKUP_PROGRESS_INIT;
  OK(cow_backup_get_progress(seen->backup, &again));
  CHECK(cow_backup_done(seen->backup) == 0);
  FAILS(cow_backup_wait(seen->backup, NULL), EDEADLK, "its own progress function");
  ++seen->waits;
  return 0;
}

static void what_is_called_back_may_call_the_library(void) {
  char folder[] = "/tmp/libcow-c-XXXXXX";
  char path[64];
  CHECK(mkdtemp(folder) != NULL && snprintf(path, sizeof path, "%s/image", folder) > 0);
  scene seen = {new_region(4), NULL, NULL, 0, {-1, -1}};
  CHECK(pipe(seen.ends) == 0);
  *page_of(seen.region, 0) = 1;
  seen.snapshot = snapshot_of(seen.region);
  cow_save_options save = COW_SAVE_OPTIONS_INIT;
  save.progress = save_and_go_on;
  save.context = &seen;
  OK(cow_snapshot_save(seen.snapshot, path, &save));
  cow_backup_options backup = COW_BACKUP_OPTIONS_INIT;
  backup.progress = wait_for_oneself;
  backup.context = &seen;
  cow_backup* made = NULL;
  OK(cow_region_backup(seen.region, path, &backup, &made));
  seen.backup = made;
  CHECK(write(seen.ends[1], "x", 1) == 1);
  OK(cow_backup_wait(made, NULL));
  CHECK(seen.waits == 1);
  cow_backup_destroy(made);
  cow_snapshot_destroy(seen.snapshot);
  cow_region_destroy(seen.region);
  close(seen.ends[0]);
  close(seen.ends[1]);
  CHECK(unlink(path) == 0 && rmdir(folder) == 0);
}

static void a_child_leaves_a_backup_to_its_parent(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  cow_region* region = new_region(4096);
  for (size_t page = 0; page < 4096; ++page) *page_of(region, page) = 1;
  cow_backup_options options = COW_BACKUP_OPTIONS_INIT;
  options.longest_stall_ms = COW_BACKUP_WAIT_FOR_EVER;
  cow_backup* backup = NULL;
  OK(cow_region_backup_fd(region, ends[1], &options, &backup));
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    FAILS(cow_backup_wait(backup, NULL), ESRCH, "the parent's");
    CHECK(cow_backup_done(backup) == 1);
    cow_backup_cancel(backup);
    cow_backup_destroy(backup);
    *page_of(region, 0) = 2;
    cow_snapshot_destroy(snapshot_of(region));
    cow_region_destroy(region);
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(cow_backup_done(backup) == 0);
  cow_backup_destroy(backup);
  cow_region_destroy(region);
  close(ends[0]);
  close(ends[1]);
}

static cow_region* left_region;
static cow_snapshot* left_snapshot;

static void at_the_end(void) {
  if (left_snapshot == NULL) return;  // a check has ended the program
  *page_of(left_region, 0) = 3;
  const void* bytes = NULL;
  OK(cow_snapshot_bytes(left_snapshot, &bytes));
  CHECK(*(const unsigned char*)bytes == 2);
  cow_region_destroy(left_region);
  cow_snapshot_destroy(left_snapshot);
}

int main(void) {
  CHECK(atexit(at_the_end) == 0);  // before the library is used: it runs after what that registers
  every_function_says_of_null_that_it_is_null_and_names_itself();
  a_size_or_range_without_bounds_is_refused_and_changes_nothing();
  handles_come_and_go_on_many_threads();
  what_is_called_back_may_call_the_library();
  a_child_leaves_a_backup_to_its_parent();
  left_region = new_region(1);
  *page_of(left_region, 0) = 2;
  left_snapshot = snapshot_of(left_region);
  return 0;
}
