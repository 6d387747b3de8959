#include <cow/cow.h>

#include <assert.h>
#include <stdio.h>

int main(void) {
  cow_region *a, *b, *past;
  cow_snapshot *before, *now;
  if (cow_region_create(64 << 20, NULL, &a) != 0) {  // zero-filled; memory comes with the stores
    return puts(cow_last_error()), 1;                // 0 or an errno value, and a sentence
  }
  char* in_a = cow_region_data(a);
  in_a[0] = 1;

  cow_region_clone(a, COW_CLONE_LAZY, &b);  // shares every frame, has its own address
  *(char*)cow_region_data(b) = 2;           // a page fault: this one page is copied
  assert(in_a[0] == 1);

  cow_region_snapshot(a, COW_SNAPSHOT_CONCURRENT, &before);  // immutable; costs what changed
  in_a[cow_region_page_bytes(a)] = 3;
  cow_region_snapshot(a, COW_SNAPSHOT_CONCURRENT, &now);
  cow_page_range* changed;
  size_t count;
  cow_diff(before, now, &changed, &count);  // found by frame, not by comparing
  for (size_t i = 0; i < count; ++i) {
    printf("changed: %zu page from page %zu on\n", changed[i].page_count, changed[i].first_page);
  }
  cow_region_restore(a, before);  // back, at the same address
  assert(in_a[cow_region_page_bytes(a)] == 0);

  cow_region_from_snapshot(before, &past);  // a writable clone of the past
  cow_region_stats stats = COW_REGION_STATS_INIT;
  cow_region_get_stats(a, &stats);
  printf("%zu page faults so far\n", (size_t)stats.faults);

  cow_free(changed);
  cow_snapshot_destroy(now), cow_snapshot_destroy(before);
  cow_region_destroy(past), cow_region_destroy(b), cow_region_destroy(a);
}
