// Snapshots from C: bytes, labels, history, what differs, merging.

#include <errno.h>

#include "check.h"

static void a_diff_lists_the_pages_that_changed_and_apply_takes_them_over(void) {
  cow_region* region = new_region(8);
  cow_snapshot* before = snapshot_of(region);
  *page_of(region, 2) = 1;
  *page_of(region, 3) = 2;
  *page_of(region, 6) = 3;
  cow_snapshot* after = snapshot_of(region);
  cow_page_range* ranges = NULL;
  size_t count = 0;
  OK(cow_diff(before, after, &ranges, &count));
  CHECK(count == 2);
  CHECK(ranges[0].first_page == 2 && ranges[0].page_count == 2);
  CHECK(ranges[1].first_page == 6 && ranges[1].page_count == 1);
  cow_page_range* since = NULL;
  size_t since_count = 0;
  OK(cow_region_changed_since(region, before, &since, &since_count));
  CHECK(since_count == 2 && memcmp(since, ranges, 2 * sizeof *ranges) == 0);
  cow_free(since);
  OK(cow_region_apply(region, ranges + 1, 1, before));
  CHECK(*page_of(region, 6) == 0 && *page_of(region, 2) == 1);
  cow_free(ranges);
  OK(cow_diff(after, after, &ranges, &count));
  CHECK(ranges == NULL && count == 0);
  cow_region_destroy(region);
  cow_snapshot_destroy(before);
  cow_snapshot_destroy(after);
}

static void a_copy_of_a_handle_keeps_the_bytes_and_has_the_same_label(void) {
  cow_region* region = new_region_with(COW_MECHANISM_HANDLER, 2);
  *page_of(region, 1) = 5;
  cow_snapshot* first = snapshot_of(region);
  cow_snapshot* second = NULL;
  OK(cow_snapshot_copy(first, &second));
  OK(cow_snapshot_set_label(first, "a checkpoint"));
  cow_snapshot_destroy(first);
  *page_of(region, 1) = 6;
  size_t reclaimable = 0;
  OK(cow_snapshot_reclaimable_bytes(second, &reclaimable));
  CHECK(reclaimable == cow_region_page_bytes(region));
  cow_region_destroy(region);
  char* label = NULL;
  OK(cow_snapshot_label(second, &label));
  CHECK(strcmp(label, "a checkpoint") == 0);
  cow_free(label);
  int64_t taken = 0;
  int64_t drop = -1;
  OK(cow_snapshot_taken_at(second, &taken));
  OK(cow_snapshot_estimate_drop(second, &drop));
  CHECK(taken > 0 && drop >= 0);
  const void* bytes = NULL;
  OK(cow_snapshot_bytes(second, &bytes));
  CHECK(((const unsigned char*)bytes)[cow_snapshot_page_bytes(second)] == 5);
  CHECK(cow_snapshot_size(second) == 2 * cow_snapshot_page_bytes(second));
  cow_snapshot_destroy(second);
}

static void the_history_is_a_tree_with_handles_that_a_restore_returns_to(void) {
  cow_region* region = new_region(2);
  *page_of(region, 0) = 1;
  cow_snapshot* root = snapshot_of(region);
  *page_of(region, 0) = 2;
  cow_snapshot* child = snapshot_of(region);
  cow_history* history = NULL;
  OK(cow_region_history(region, &history));
  cow_snapshot_destroy(root);
  cow_snapshot_destroy(child);
  CHECK(cow_history_size(history) == 2);
  ptrdiff_t parent = 5;
  OK(cow_history_at(history, 0, &root, &parent));
  CHECK(parent == -1);
  OK(cow_history_at(history, 1, NULL, &parent));
  CHECK(parent == 0);
  FAILS(cow_history_at(history, 2, NULL, &parent), EINVAL, "no snapshot 2 among 2");
  cow_history_destroy(history);
  OK(cow_region_restore(region, root));
  CHECK(*page_of(region, 0) == 1);
  cow_snapshot_destroy(root);
  cow_region_destroy(region);
}

typedef struct decision {
  int answer;
  size_t calls;
} decision;

static int add_both(void* context, const cow_merge_conflict* conflict) {
  decision* const how = context;
  ++how->calls;
  CHECK(conflict->struct_bytes >= sizeof *conflict && conflict->length == 1);
  const unsigned char* const ours = conflict->ours;
  const unsigned char* const theirs = conflict->theirs;
  *(unsigned char*)conflict->result = (unsigned char)(*ours + *theirs);
  return how->answer;
}

static void a_merge_has_the_changes_of_both_and_asks_about_conflicts(void) {
  cow_region* ours = new_region(4);
  cow_snapshot* base = snapshot_of(ours);
  cow_region* theirs = NULL;
  OK(cow_region_clone(ours, COW_CLONE_LAZY, &theirs));
  *page_of(ours, 0) = 1;
  *page_of(theirs, 1) = 2;
  *page_of(ours, 2) = 10;
  *page_of(theirs, 2) = 20;
  cow_snapshot* left = snapshot_of(ours);
  cow_snapshot* right = snapshot_of(theirs);
  decision how = {0, 0};
  cow_merge_options options = COW_MERGE_OPTIONS_INIT;
  options.resolver = add_both;
  options.context = &how;
  cow_merge_report report = COW_MERGE_REPORT_INIT;
  cow_region* merged = NULL;
  OK(cow_merge(base, left, right, &options, &merged, &report));
  CHECK(*page_of(merged, 0) == 1 && *page_of(merged, 1) == 2 && *page_of(merged, 2) == 30);
  CHECK(report.conflict_count == 1 && report.conflicts[0].first_page == 2);
  CHECK(report.pages_from_ours == 1 && report.pages_from_theirs == 1);
  CHECK(report.stretches_resolved == 1 && how.calls == 1);
  cow_free(report.conflicts);
  cow_region_destroy(merged);

  how.answer = EDOM;
  cow_region* untouched = ours;
  FAILS(cow_merge(base, left, right, &options, &untouched, NULL), EDOM, "the resolver ended it");
  CHECK(untouched == ours);
  OK(cow_merge(base, left, right, NULL, &merged, NULL));
  CHECK(*page_of(merged, 2) == 10);
  cow_region_destroy(merged);
  cow_snapshot_destroy(base);
  cow_snapshot_destroy(left);
  cow_snapshot_destroy(right);
  cow_region_destroy(ours);
  cow_region_destroy(theirs);
}

int main(void) {
  a_diff_lists_the_pages_that_changed_and_apply_takes_them_over();
  a_copy_of_a_handle_keeps_the_bytes_and_has_the_same_label();
  the_history_is_a_tree_with_handles_that_a_restore_returns_to();
  a_merge_has_the_changes_of_both_and_asks_about_conflicts();
  return 0;
}
