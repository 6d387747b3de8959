// README: snapshots are immutable, in any tree; trying something and going back keeps the address.

#include <string.h>

#include "must.h"

enum { steps = 4 };

int main(void) {
  cow_region* document = NULL;
  cow_snapshot* history[steps];
  must(cow_region_create(1 << 20, NULL, &document));
  char* const text = cow_region_data(document);
  for (int i = 0; i < steps; ++i) {
    snprintf(text, 32, "version %d", i);
    must(cow_region_snapshot(document, COW_SNAPSHOT_CONCURRENT, &history[i]));
  }
  must(cow_region_restore(document, history[1]));
  claim("undo goes back at the same address", strcmp(text, "version 1") == 0);
  claim("it stays where it was", cow_region_data(document) == text);

  strcpy(text, "another branch");
  const void* newest = NULL;
  must(cow_snapshot_bytes(history[3], &newest));
  claim("a store does not reach a snapshot", strcmp(newest, "version 3") == 0);

  cow_region* past = NULL;
  must(cow_region_from_snapshot(history[2], &past));
  strcpy(cow_region_data(past), "changed");
  must(cow_snapshot_bytes(history[2], &newest));
  claim("nor does one to a clone of it", strcmp(newest, "version 2") == 0);

  cow_region_destroy(document);
  must(cow_snapshot_bytes(history[0], &newest));
  claim("a snapshot outlives its region", strcmp(newest, "version 0") == 0);
  for (int i = 0; i < steps; ++i) cow_snapshot_destroy(history[i]);
  cow_region_destroy(past);
  return 0;
}
