#ifndef COW_TESTS_C_CHECK_H
#define COW_TESTS_C_CHECK_H

// Checks for test programs in C: the first that does not hold ends the program, in words.

#include <cow/cow.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                \
    }                                                                         \
  } while (0)

static inline void check_ok(int error, const char* call, const char* file, int line) {
  if (error == 0) return;
  fprintf(stderr, "%s:%d: %s is %d: %s\n", file, line, call, error, cow_last_error());
  exit(1);
}

/// The call succeeds.
#define OK(call) check_ok((call), #call, __FILE__, __LINE__)

static inline void check_fails(int error, int expected, const char* words, const char* call,
                               const char* file, int line) {
  if (error == expected && strstr(cow_last_error(), words) != NULL) return;
  fprintf(stderr, "%s:%d: %s is %d, not %d with \"%s\": %s\n", file, line, call, error, expected,
          words, cow_last_error());
  exit(1);
}

/// The call returns this errno value, and the sentence has these words in it.
#define FAILS(call, expected, words) \
  check_fails((call), (expected), (words), #call, __FILE__, __LINE__)

static inline cow_region* new_region_with(int mechanism, size_t pages) {
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.mechanism = mechanism;
  cow_region* region = NULL;
  OK(cow_region_create(1, &options, &region));
  const size_t page_bytes = cow_region_page_bytes(region);
  cow_region_destroy(region);
  OK(cow_region_create(pages * page_bytes, &options, &region));
  return region;
}

/// With the mechanism that the environment says: CTest runs these programs with either.
static inline cow_region* new_region(size_t pages) {
  return new_region_with(COW_MECHANISM_DEFAULT, pages);
}

static inline cow_snapshot* snapshot_of(cow_region* region) {
  cow_snapshot* snapshot = NULL;
  OK(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &snapshot));
  return snapshot;
}

/// The first byte of a page.
static inline volatile unsigned char* page_of(cow_region* region, size_t page) {
  unsigned char* const bytes = cow_region_data(region);
  return bytes + page * cow_region_page_bytes(region);
}

#endif
