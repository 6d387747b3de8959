// README: the kernel does not fault for us. A read(2) into a page that is still protected fails;
// with a lease it does not, and a snapshot taken meanwhile keeps what was there.

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "must.h"

int main(void) {
  cow_region* region = NULL;
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.mechanism = COW_MECHANISM_HANDLER;
  must(cow_region_create(1 << 20, &options, &region));
  char* const bytes = cow_region_data(region);
  strcpy(bytes, "before");
  cow_snapshot* first = NULL;
  must(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &first));
  int ends[2];
  if (pipe(ends) != 0 || write(ends[1], "after!", 7) != 7) return 1;

  errno = 0;
  claim("without a lease the kernel is refused", read(ends[0], bytes, 7) < 0 && errno == EFAULT);

  cow_lease* lease = NULL;
  cow_snapshot* second = NULL;
  must(cow_region_write_lease(region, 0, 7, &lease));
  must(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &second));
  claim("with a lease it is not, also after a snapshot",
        read(ends[0], cow_lease_data(lease), cow_lease_size(lease)) == 7);
  cow_lease_destroy(lease);

  claim("the region has what was read", strcmp(bytes, "after!") == 0);
  const void* past = NULL;
  must(cow_snapshot_bytes(second, &past));
  claim("the past has not", strcmp(past, "before") == 0);
  cow_snapshot_destroy(first);
  cow_snapshot_destroy(second);
  cow_region_destroy(region);
  return 0;
}
