// Files and backups from C: what was saved is loaded, callbacks are called and cancel.

#include <errno.h>
#include <unistd.h>

#include "check.h"

enum { name_bytes = 300 };

static char folder[] = "/tmp/libcow-c-XXXXXX";
static char full[name_bytes];
static char delta[name_bytes];

static void name_in_folder(char* name, const char* file) {
  CHECK(snprintf(name, name_bytes, "%s/%s", folder, file) < name_bytes);
}

typedef struct watch {
  size_t calls;
  int answer;
  uint64_t pages_done;
} watch;

static int watch_save(void* context, const cow_save_progress* progress) {
  watch* const seen = context;
  ++seen->calls;
  seen->pages_done = progress->pages_done;
  CHECK(progress->struct_bytes == sizeof *progress);
  return seen->answer;
}

static int watch_backup(void* context, const cow_backup_progress* progress) {
  watch* const seen = context;
  ++seen->calls;
  seen->pages_done = progress->pages_done;
  return seen->answer;
}

static void an_image_and_its_delta_are_loaded_in_order(void) {
  cow_region* region = new_region(8);
  *page_of(region, 1) = 1;
  cow_snapshot* first = snapshot_of(region);
  *page_of(region, 2) = 2;
  cow_snapshot* second = snapshot_of(region);
  watch seen = {0, 0, 0};
  cow_save_options options = COW_SAVE_OPTIONS_INIT;
  options.progress = watch_save;
  options.context = &seen;
  OK(cow_snapshot_save(first, full, &options));
  CHECK(seen.calls > 0 && seen.pages_done == 8);
  OK(cow_snapshot_save_delta(second, first, delta, NULL));
  const char* const chain[] = {full, delta};
  for (int mode = COW_LOAD_COPIED; mode <= COW_LOAD_MAPPED; ++mode) {
    cow_load_options how = COW_LOAD_OPTIONS_INIT;
    how.mode = mode;
    cow_region* loaded = NULL;
    OK(cow_region_load(chain, 2, &how, &loaded));
    CHECK(cow_region_size(loaded) == cow_region_size(region));
    CHECK(memcmp(cow_region_data(loaded), cow_region_data(region), cow_region_size(region)) == 0);
    cow_region_destroy(loaded);
  }
  cow_region* none = NULL;
  FAILS(cow_region_load(chain + 1, 1, NULL, &none), EBADMSG, delta);
  cow_load_options how = COW_LOAD_OPTIONS_INIT;
  how.mode = 7;
  FAILS(cow_region_load(chain, 2, &how, &none), EINVAL, "enum cow_load_mode");
  seen.answer = 1;
  FAILS(cow_snapshot_save(second, full, &options), ECANCELED, "the progress function");
  OK(cow_region_load(chain, 2, NULL, &none));  // the file is what it was
  cow_region_destroy(none);
  cow_snapshot_destroy(first);
  cow_snapshot_destroy(second);
  cow_region_destroy(region);
}

static void a_backup_has_the_bytes_of_its_call_and_reports(void) {
  cow_region* region = new_region_with(COW_MECHANISM_HANDLER, 64);
  for (size_t page = 0; page < 64; ++page) *page_of(region, page) = 1;
  cow_backup_estimate estimate = COW_BACKUP_ESTIMATE_INIT;
  OK(cow_region_estimate_backup(region, NULL, &estimate));
  CHECK(estimate.pages == 64 && estimate.least_extra_bytes > 0 && estimate.duration_ns > 0);
  watch seen = {0, 0, 0};
  cow_backup_options options = COW_BACKUP_OPTIONS_INIT;
  options.most_extra_bytes = estimate.least_extra_bytes;
  options.progress = watch_backup;
  options.context = &seen;
  cow_backup* backup = NULL;
  OK(cow_region_backup(region, full, &options, &backup));
  for (size_t page = 0; page < 64; ++page) *page_of(region, page) = 2;
  cow_backup_report report = COW_BACKUP_REPORT_INIT;
  OK(cow_backup_wait(backup, &report));
  CHECK(cow_backup_done(backup) == 1);
  CHECK(report.pages == 64 && report.bytes_written <= estimate.bytes_at_most);
  CHECK(report.duration_ns > 0 && report.peak_extra_bytes <= options.most_extra_bytes);
  CHECK(seen.calls > 0 && seen.pages_done == 64);
  cow_backup_progress progress = COW_BACKUP_PROGRESS_INIT;
  OK(cow_backup_get_progress(backup, &progress));
  CHECK(progress.pages_done == 64 && progress.pages_total == 64);
  cow_backup_destroy(backup);
  const char* const chain[] = {full};
  cow_region* loaded = NULL;
  OK(cow_region_load(chain, 1, NULL, &loaded));
  for (size_t page = 0; page < 64; ++page) CHECK(*page_of(loaded, page) == 1);
  cow_region_destroy(loaded);
  options.most_extra_bytes = 1;
  FAILS(cow_region_backup(region, full, &options, &backup), EINVAL, "too low");
  cow_region_destroy(region);
}

static void a_backup_that_is_cancelled_says_so_and_one_goes_on_at_a_time(void) {
  cow_region* region = new_region(64);
  for (size_t page = 0; page < 64; ++page) *page_of(region, page) = 1;
  watch seen = {0, 1, 0};
  cow_backup_options options = COW_BACKUP_OPTIONS_INIT;
  options.progress = watch_backup;
  options.context = &seen;
  cow_backup* backup = NULL;
  OK(cow_region_backup(region, full, &options, &backup));
  FAILS(cow_backup_wait(backup, NULL), ECANCELED, "the progress function");
  cow_backup_destroy(backup);

  // To a pipe that nobody reads, it goes on until it is cancelled: a page is more than is left.
  int ends[2];
  CHECK(pipe(ends) == 0);
  cow_region* large = new_region(4096);
  for (size_t page = 0; page < 4096; ++page) *page_of(large, page) = 1;
  options.progress = NULL;
  options.longest_stall_ms = COW_BACKUP_WAIT_FOR_EVER;
  OK(cow_region_backup_fd(large, ends[1], &options, &backup));
  cow_backup* second = NULL;
  FAILS(cow_region_backup(large, full, NULL, &second), EBUSY, "");
  CHECK(second == NULL && cow_backup_done(backup) == 0);
  cow_region_destroy(large);  // the backup goes on without it
  cow_backup_cancel(backup);
  FAILS(cow_backup_wait(backup, NULL), ECANCELED, "");
  cow_backup_destroy(backup);
  close(ends[0]);
  close(ends[1]);
  cow_region_destroy(region);
}

int main(void) {
  CHECK(mkdtemp(folder) != NULL);
  name_in_folder(full, "full.cow");
  name_in_folder(delta, "delta.cow");
  an_image_and_its_delta_are_loaded_in_order();
  a_backup_has_the_bytes_of_its_call_and_reports();
  a_backup_that_is_cancelled_says_so_and_one_goes_on_at_a_time();
  CHECK(unlink(full) == 0 && unlink(delta) == 0 && rmdir(folder) == 0);
  return 0;
}
