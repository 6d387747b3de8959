// README: kernel mappings are limited, and a region with scattered private pages takes two for
// each. libcow takes neighbours along as they run out: no store fails, but memory grows faster.

#include <sys/mman.h>
#include <unistd.h>

#include "must.h"

enum { pages = 2048, scattered = 200, left = 400, skipped = 77 };

static size_t page_bytes;

/// Takes the process's mappings, two for each page that is made to differ, all but `left`. 0 where
/// they do not run out.
static int take_mappings(char* memory, size_t bytes, size_t host_page) {
  size_t at = host_page;
  while (at < bytes && mprotect(memory + at, host_page, PROT_READ) == 0) at += 2 * host_page;
  if (at >= bytes) return 0;
  for (int i = 0; i < left; i += 2) {
    at -= 2 * host_page;
    if (mprotect(memory + at, host_page, PROT_NONE) != 0) return 0;
  }
  return 1;
}

static void store_to_every_second_page(char* bytes, size_t end, char value) {
  for (size_t page = 1; page < end; page += 2) bytes[page * page_bytes] = value;
}

static int shows(const char* bytes, char value, char between) {
  for (size_t page = 0; page < pages; ++page) {
    if (bytes[page * page_bytes] != (page % 2 == 1 ? value : between)) return 0;
  }
  return 1;
}

static void print_counts(const char* when, const cow_region* region) {
  cow_process_stats stats = COW_PROCESS_STATS_INIT;
  must(cow_process_get_stats(&stats));
  printf("%s: %zu mappings, %zu of them the clone's; %zu KiB\n", when, stats.mappings_in_use,
         stats_of(region).mappings, stats.bytes_in_use / 1024);
}

int main(void) {
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.mechanism = COW_MECHANISM_HANDLER;
  options.max_window_pages = 1;  // no page is taken along for any other reason
  cow_region *region = NULL, *clone = NULL;
  const size_t host_page = (size_t)sysconf(_SC_PAGESIZE);
  must(cow_region_create(pages * host_page, &options, &region));
  page_bytes = cow_region_page_bytes(region);
  char* const bytes = cow_region_data(region);
  for (size_t page = 0; page < pages; ++page) bytes[page * page_bytes] = 1;
  must(cow_region_clone(region, COW_CLONE_LAZY, &clone));
  char* const in_clone = cow_region_data(clone);

  store_to_every_second_page(in_clone, 2 * scattered, 2);
  claim("each of 200 private pages takes two", stats_of(clone).mappings == 2 * scattered + 1);
  claim("and nothing else was copied", stats_of(clone).pages_copied == scattered);
  print_counts("while there are enough", clone);

  const size_t reserved = ((size_t)1 << 21) * host_page;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* const others = mmap(NULL, reserved, PROT_NONE, flags, -1, 0);
  if (others == MAP_FAILED || !take_mappings(others, reserved, host_page)) {
    return puts("skipped: here mappings do not run out"), skipped;
  }
  store_to_every_second_page(in_clone, pages, 2);
  claim("with 400 left, 1,024 such stores succeed", shows(in_clone, 2, 1));
  claim("the other side keeps its bytes", shows(bytes, 1, 1));
  claim("neighbours were copied with them", stats_of(clone).pages_copied > pages / 2);
  print_counts("with few left", clone);

  int right = 1;
  cow_snapshot* snapshots[5];
  for (int i = 0; i < 5; ++i) {
    const void* past = NULL;
    must(cow_region_snapshot(clone, COW_SNAPSHOT_CONCURRENT, &snapshots[i]));
    must(cow_snapshot_bytes(snapshots[i], &past));
    store_to_every_second_page(in_clone, pages, (char)(3 + i));
    right = right && shows(in_clone, (char)(3 + i), 1) && shows(past, (char)(2 + i), 1);
  }
  claim("so do stores beside snapshots that are read", right && shows(bytes, 1, 1));
  print_counts("with five snapshots", clone);

  munmap(others, reserved);
  for (int i = 0; i < 5; ++i) cow_snapshot_destroy(snapshots[i]);
  cow_region_destroy(clone);
  cow_region_destroy(region);
  return 0;
}
