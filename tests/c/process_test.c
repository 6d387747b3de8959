// Between processes from C: templates, children, and what the process has in use.

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int status_of(pid_t child) {
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  return status;
}

static void a_child_starts_from_a_template_and_nobody_sees_its_stores(void) {
  char name[64];
  snprintf(name, sizeof name, "c-test-%ld", (long)getpid());
  cow_region* region = new_region(4);
  *page_of(region, 1) = 11;
  cow_snapshot* snapshot = snapshot_of(region);
  OK(cow_publish(name, snapshot, NULL));
  FAILS(cow_publish(name, snapshot, NULL), EEXIST, name);
  cow_publish_options options = COW_PUBLISH_OPTIONS_INIT;
  options.mode = 0666;
  FAILS(cow_publish("x", snapshot, &options), EINVAL, "mode");
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    cow_region* attached = NULL;
    OK(cow_attach(name, NULL, &attached));
    CHECK(*page_of(attached, 1) == 11);
    *page_of(attached, 1) = 12;
    CHECK(*page_of(attached, 1) == 12);
    _exit(0);
  }
  CHECK(status_of(child) == 0);
  cow_region* again = NULL;
  OK(cow_attach(name, NULL, &again));
  CHECK(*page_of(again, 1) == 11);
  OK(cow_unpublish(name));
  CHECK(*page_of(again, 1) == 11);  // who has attached it keeps it
  cow_region_destroy(again);
  cow_snapshot_destroy(snapshot);
  cow_region_destroy(region);
}

static void a_template_without_a_name_is_a_descriptor(void) {
  cow_region* region = new_region(4);
  *page_of(region, 2) = 21;
  cow_snapshot* snapshot = snapshot_of(region);
  int descriptor = -1;
  OK(cow_publish_fd(snapshot, &descriptor));
  cow_region* attached = NULL;
  OK(cow_attach_fd(descriptor, NULL, &attached));
  CHECK(close(descriptor) == 0);
  CHECK(*page_of(attached, 2) == 21);
  int ends[2];
  CHECK(pipe(ends) == 0);
  cow_region* none = NULL;
  CHECK(cow_attach_fd(ends[0], NULL, &none) != 0 && none == NULL);
  close(ends[0]);
  close(ends[1]);
  cow_region_destroy(attached);
  cow_snapshot_destroy(snapshot);
  cow_region_destroy(region);
}

static void parent_and_child_keep_their_own_bytes(void) {
  cow_region* region = new_region(2);
  *page_of(region, 0) = 1;
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    *page_of(region, 0) = 2;
    CHECK(*page_of(region, 0) == 2);
    _exit(0);
  }
  CHECK(status_of(child) == 0);
  CHECK(*page_of(region, 0) == 1);
  cow_region_destroy(region);
}

static void freed_frames_are_counted_and_trimmed(void) {
  cow_region* region = new_region(64);
  for (size_t page = 0; page < 64; ++page) *page_of(region, page) = 1;
  cow_region* clone = NULL;
  OK(cow_region_clone(region, COW_CLONE_EAGER, &clone));
  cow_region_destroy(clone);
  cow_process_stats stats = COW_PROCESS_STATS_INIT;
  OK(cow_process_get_stats(&stats));
  CHECK(stats.regions == 1 && stats.families == 1);
  CHECK(stats.bytes_in_use >= 64 * cow_region_page_bytes(region));
  CHECK(cow_trim() == stats.bytes_recycled);
  OK(cow_process_get_stats(&stats));
  CHECK(stats.bytes_recycled == 0);
  cow_region_destroy(region);
}

static void the_handler_is_libcow_s_and_leaves_other_faults_alone(void) {
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.mechanism = COW_MECHANISM_HANDLER;
  cow_region* region = NULL;
  OK(cow_region_create(1, &options, &region));
  OK(cow_reinstall_handler());
  CHECK(cow_owns_sigsegv() == 1);
  cow_region_destroy(region);
}

int main(void) {
  a_child_starts_from_a_template_and_nobody_sees_its_stores();
  a_template_without_a_name_is_a_descriptor();
  parent_and_child_keep_their_own_bytes();
  freed_frames_are_counted_and_trimmed();
  the_handler_is_libcow_s_and_leaves_other_faults_alone();
  return 0;
}
