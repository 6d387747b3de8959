// README: threads may load and store at any time, also during a snapshot, which is a consistent
// cut: a store that it has is never without those that came before it.

#include <pthread.h>
#include <stdatomic.h>

#include "must.h"

enum { rounds = 200 };

typedef struct pair {
  atomic_ulong* first;   // on a page of its own,
  atomic_ulong* second;  // and on another
  atomic_int stop;
} pair;

static void* count_up(void* argument) {
  pair* const both = argument;
  for (unsigned long n = 1; !atomic_load(&both->stop); ++n) {
    atomic_store(both->first, n);
    atomic_store(both->second, n);
  }
  return NULL;
}

int main(void) {
  cow_region* region = NULL;
  must(cow_region_create(1 << 20, NULL, &region));
  char* const bytes = cow_region_data(region);
  const size_t far = 100 * cow_region_page_bytes(region) % (1 << 20);
  pair both = {(atomic_ulong*)bytes, (atomic_ulong*)(bytes + far), 0};
  pthread_t thread;
  if (pthread_create(&thread, NULL, count_up, &both) != 0) return 1;

  int are_cuts = 1;
  for (int i = 0; i < rounds; ++i) {
    cow_snapshot* snapshot = NULL;
    const void* past = NULL;
    must(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &snapshot));
    must(cow_snapshot_bytes(snapshot, &past));
    const unsigned long first = *(const unsigned long*)past;
    const unsigned long second = *(const unsigned long*)((const char*)past + far);
    are_cuts = are_cuts && (first == second || first == second + 1);
    cow_snapshot_destroy(snapshot);
  }
  atomic_store(&both.stop, 1);
  pthread_join(thread, NULL);
  claim("each snapshot beside a thread that stores is a cut", are_cuts);
  cow_region_destroy(region);
  return 0;
}
