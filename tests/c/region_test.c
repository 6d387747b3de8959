// Regions and leases from C: what each function does when it succeeds, and who outlives whom.

#include <stdatomic.h>
#include <unistd.h>

#include "check.h"

static void a_store_to_a_clone_copies_one_page_and_the_other_side_keeps_its_own(void) {
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.mechanism = COW_MECHANISM_HANDLER;
  cow_region* a = NULL;
  cow_region* b = NULL;
  OK(cow_region_create(1 << 20, &options, &a));
  CHECK(cow_region_size(a) == 1 << 20);
  for (size_t page = 0; page < 8; ++page) *page_of(a, page) = 1;
  OK(cow_region_clone(a, COW_CLONE_LAZY, &b));
  *page_of(b, 3) = 2;
  CHECK(*page_of(a, 3) == 1);
  CHECK(*page_of(b, 3) == 2);
  cow_region_stats stats = COW_REGION_STATS_INIT;
  OK(cow_region_get_stats(b, &stats));
  CHECK(stats.faults == 1);
  CHECK(stats.pages_copied == 1);
  CHECK(stats.mechanism == COW_MECHANISM_HANDLER);
  CHECK(stats.pages == stats.pages_zero + stats.pages_shared + stats.pages_private);
  cow_region* c = NULL;
  OK(cow_region_clone(a, COW_CLONE_EAGER, &c));
  cow_region_destroy(a);
  CHECK(*page_of(b, 0) == 1);
  CHECK(*page_of(c, 7) == 1);
  cow_region_destroy(b);
  cow_region_destroy(c);
}

static void a_discarded_page_shows_zeros_and_a_restore_brings_it_back(void) {
  cow_region* region = new_region(4);
  const size_t page_bytes = cow_region_page_bytes(region);
  void* const address = cow_region_data(region);
  *page_of(region, 2) = 7;
  cow_snapshot* before = snapshot_of(region);
  OK(cow_region_discard(region, 2 * page_bytes, page_bytes));
  CHECK(*page_of(region, 2) == 0);
  OK(cow_region_restore(region, before));
  CHECK(*page_of(region, 2) == 7);
  CHECK(cow_region_data(region) == address);
  cow_snapshot_destroy(before);
  cow_region_destroy(region);
}

static void a_region_grows_at_its_address_and_a_restore_makes_it_short_again(void) {
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.most_bytes = 1 << 20;
  options.mechanism = COW_MECHANISM_HANDLER;
  cow_region* region = NULL;
  OK(cow_region_create(100, &options, &region));
  void* const address = cow_region_data(region);
  cow_snapshot* small = snapshot_of(region);
  OK(cow_region_grow(region, 1 << 20));
  CHECK(cow_region_size(region) == 1 << 20 && cow_region_data(region) == address);
  ((unsigned char*)address)[(1 << 20) - 1] = 9;
  OK(cow_region_restore(region, small));
  CHECK(cow_region_size(region) == 100);
  cow_snapshot_destroy(small);
  cow_region_destroy(region);
}

static void a_region_starts_from_bytes_from_a_descriptor_and_from_a_snapshot(void) {
  const char text[] = "some bytes";
  cow_region* region = NULL;
  OK(cow_region_from_bytes(text, sizeof text, NULL, &region));
  CHECK(cow_region_size(region) == sizeof text);
  CHECK(memcmp(cow_region_data(region), text, sizeof text) == 0);
  cow_snapshot* snapshot = snapshot_of(region);
  cow_region_destroy(region);
  OK(cow_region_from_snapshot(snapshot, &region));  // the snapshot outlives its region
  CHECK(memcmp(cow_region_data(region), text, sizeof text) == 0);
  cow_snapshot_destroy(snapshot);
  CHECK(memcmp(cow_region_data(region), text, sizeof text) == 0);
  cow_region_destroy(region);

  FILE* const file = tmpfile();
  CHECK(file != NULL && fputs(text, file) >= 0 && fflush(file) == 0);
  OK(cow_region_open_fd(fileno(file), NULL, &region));
  fclose(file);
  CHECK(cow_region_size(region) == strlen(text));
  CHECK(memcmp(cow_region_data(region), text, strlen(text)) == 0);
  cow_region_destroy(region);
}

static void the_kernel_writes_to_a_leased_page_and_a_lease_outlives_its_region(void) {
  cow_region* region = new_region(2);
  *page_of(region, 0) = 1;
  cow_snapshot* before = snapshot_of(region);
  cow_lease* lease = NULL;
  OK(cow_region_write_lease(region, 0, 16, &lease));
  CHECK(cow_lease_data(lease) == cow_region_data(region) && cow_lease_size(lease) == 16);
  int ends[2];
  CHECK(pipe(ends) == 0 && write(ends[1], "0123456789abcdef", 16) == 16);
  CHECK(read(ends[0], cow_lease_data(lease), cow_lease_size(lease)) == 16);
  CHECK(*page_of(region, 0) == '0');
  const void* old = NULL;
  OK(cow_snapshot_bytes(before, &old));
  CHECK(*(const unsigned char*)old == 1);
  cow_region_destroy(region);
  CHECK(memcmp(cow_lease_data(lease), "0123456789abcdef", 16) == 0);
  cow_lease_destroy(lease);
  cow_snapshot_destroy(before);
  close(ends[0]);
  close(ends[1]);
}

static void a_lease_of_an_address_finds_the_region_and_is_null_where_there_is_none(void) {
  cow_region* region = new_region(2);
  cow_lease* lease = NULL;
  OK(cow_write_lease((char*)cow_region_data(region) + 5, 10, &lease));
  CHECK(lease != NULL && cow_lease_size(lease) == 10);
  cow_region_stats stats = COW_REGION_STATS_INIT;
  OK(cow_region_get_stats(region, &stats));
  CHECK(stats.pages_leased == 1);
  cow_lease_destroy(lease);
  char elsewhere[10];
  OK(cow_write_lease(elsewhere, sizeof elsewhere, &lease));
  CHECK(lease == NULL);
  cow_region_destroy(region);
}

static void reserved_bytes(void* context, size_t bytes_in_use) {
  atomic_store((atomic_size_t*)context, bytes_in_use);
}

static void a_limit_calls_back_with_its_context_and_can_be_removed(void) {
  cow_region* region = new_region(4);
  *page_of(region, 0) = 1;
  cow_snapshot* before = snapshot_of(region);
  static atomic_size_t told = 0;
  OK(cow_region_limit_family_bytes(region, 1, reserved_bytes, &told));
  // The call is made at once, as the family is above; removing it waits for one that runs.
  for (int i = 0; told == 0 && i < 10000; ++i) usleep(1000);
  OK(cow_region_limit_family_bytes(region, 1, NULL, NULL));
  CHECK(told > 1);
  cow_snapshot_destroy(before);
  cow_region_destroy(region);
}

static void a_description_is_text_and_estimates_are_times(void) {
  cow_region* region = new_region(4);
  cow_snapshot* before = snapshot_of(region);
  *page_of(region, 0) = 1;
  char* text = NULL;
  OK(cow_region_describe(region, &text));
  CHECK(strstr(text, "references") != NULL);
  cow_free(text);
  cow_cost_estimate estimate = COW_COST_ESTIMATE_INIT;
  OK(cow_region_estimate(region, &estimate));
  CHECK(estimate.snapshot_ns > 0 && estimate.clone_ns > 0);
  int64_t nanoseconds = -1;
  OK(cow_region_estimate_restore(region, before, &nanoseconds));
  CHECK(nanoseconds > 0);
  cow_snapshot_destroy(before);
  cow_region_destroy(region);
}

static void nothing_is_what_destroying_null_does(void) {
  cow_region_destroy(NULL);
  cow_snapshot_destroy(NULL);
  cow_lease_destroy(NULL);
  cow_backup_destroy(NULL);
  cow_history_destroy(NULL);
  cow_free(NULL);
  CHECK(cow_region_data(NULL) == NULL && cow_region_size(NULL) == 0);
  CHECK(cow_lease_data(NULL) == NULL && cow_history_size(NULL) == 0);
}

int main(void) {
  CHECK(cow_version() == COW_VERSION && cow_abi_version() == COW_ABI_VERSION);
  CHECK(strcmp(cow_last_error(), "") == 0);
  a_store_to_a_clone_copies_one_page_and_the_other_side_keeps_its_own();
  a_discarded_page_shows_zeros_and_a_restore_brings_it_back();
  a_region_grows_at_its_address_and_a_restore_makes_it_short_again();
  a_region_starts_from_bytes_from_a_descriptor_and_from_a_snapshot();
  the_kernel_writes_to_a_leased_page_and_a_lease_outlives_its_region();
  a_lease_of_an_address_finds_the_region_and_is_null_where_there_is_none();
  a_limit_calls_back_with_its_context_and_can_be_removed();
  a_description_is_text_and_estimates_are_times();
  nothing_is_what_destroying_null_does();
  CHECK(strcmp(cow_last_error(), "") == 0);  // successes leave it alone
  cow_process_stats stats = COW_PROCESS_STATS_INIT;
  OK(cow_process_get_stats(&stats));
  CHECK(stats.regions == 0 && stats.families == 0 && stats.mapping_budget > 0);
  return 0;
}
