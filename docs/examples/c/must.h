#ifndef COW_EXAMPLES_C_MUST_H
#define COW_EXAMPLES_C_MUST_H

// For the examples in C: what must succeed, and what must be so.

#include <cow/cow.h>

#include <stdio.h>
#include <stdlib.h>

/// Ends the program with the sentence unless the call of libcow returns 0.
static inline void must(int error) {
  if (error == 0) return;
  fprintf(stderr, "error %d: %s\n", error, cow_last_error());
  exit(1);
}

/// Prints a claim, and ends the program if it does not hold.
static inline void claim(const char* what, int holds) {
  printf("%s: %s\n", holds ? "so it is" : "NOT SO", what);
  if (!holds) exit(1);
}

static inline cow_region_stats stats_of(const cow_region* region) {
  cow_region_stats stats = COW_REGION_STATS_INIT;
  must(cow_region_get_stats(region, &stats));
  return stats;
}

#endif
