// README: cloning copies nothing; the first store to a page copies that page, and no other.

#include "must.h"

int main(void) {
  cow_region* a = NULL;
  cow_region* b = NULL;
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.mechanism = COW_MECHANISM_HANDLER;
  must(cow_region_create(16 << 20, &options, &a));
  const size_t page_bytes = cow_region_page_bytes(a);
  char* in_a = cow_region_data(a);
  for (size_t at = 0; at < cow_region_size(a); at += page_bytes) in_a[at] = 1;

  must(cow_region_clone(a, COW_CLONE_LAZY, &b));
  cow_region_stats stats = stats_of(b);
  claim("a clone shares every page", stats.pages_shared == stats.pages);

  char* in_b = cow_region_data(b);
  in_b[5 * page_bytes] = 2;
  stats = stats_of(b);
  claim("the first store to a page is one fault", stats.faults == 1);
  claim("it copies one page", stats.pages_copied == 1);
  claim("the other side keeps its byte", in_a[5 * page_bytes] == 1);

  in_b[5 * page_bytes + 1] = 3;
  claim("the next store to it is none", stats_of(b).faults == 1);

  cow_region_destroy(a);
  claim("a clone does not need what it was made from", in_b[0] == 1);
  cow_region_destroy(b);
  return 0;
}
