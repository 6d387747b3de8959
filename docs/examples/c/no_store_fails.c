// README: with RegionOptions::reserve_frames no store can fail. The memory is taken by the calls:
// what stores do afterwards takes none.

#include <string.h>

#include "must.h"

static size_t bytes_in_use(void) {
  cow_process_stats stats = COW_PROCESS_STATS_INIT;
  must(cow_process_get_stats(&stats));
  return stats.bytes_in_use;
}

int main(void) {
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.mechanism = COW_MECHANISM_HANDLER;
  options.reserve_frames = 1;
  cow_region* region = NULL;
  cow_region* clone = NULL;
  must(cow_region_create(4 << 20, &options, &region));
  const size_t before = bytes_in_use();
  claim("the memory is there before a store", before >= cow_region_size(region));
  must(cow_region_clone(region, COW_CLONE_LAZY, &clone));
  const size_t with_clone = bytes_in_use();
  memset(cow_region_data(region), 1, cow_region_size(region));
  memset(cow_region_data(clone), 2, cow_region_size(clone));
  claim("stores to every page of both took no more", bytes_in_use() <= with_clone);
  cow_region_destroy(clone);
  cow_region_destroy(region);
  return 0;
}
