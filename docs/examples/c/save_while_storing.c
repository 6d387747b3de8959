// README: backups that keep a limit on memory, whatever is stored meanwhile; images and deltas.

#include <string.h>
#include <unistd.h>

#include "must.h"

int main(void) {
  char folder[] = "/tmp/libcow-example-XXXXXX";
  if (mkdtemp(folder) == NULL || chdir(folder) != 0) return 1;
  cow_region* region = NULL;
  cow_region_options family = COW_REGION_OPTIONS_INIT;
  family.mechanism = COW_MECHANISM_HANDLER;  // a limit holds stores up, which the kernel does not
  must(cow_region_create(4 << 20, &family, &region));
  char* const bytes = cow_region_data(region);
  memset(bytes, 1, cow_region_size(region));

  cow_backup_estimate estimate = COW_BACKUP_ESTIMATE_INIT;
  must(cow_region_estimate_backup(region, NULL, &estimate));
  cow_backup_options options = COW_BACKUP_OPTIONS_INIT;
  options.most_extra_bytes = estimate.least_extra_bytes + (64 << 10);
  cow_backup* backup = NULL;
  must(cow_region_backup(region, "backup.cow", &options, &backup));
  memset(bytes, 2, cow_region_size(region));  // while it is saved
  cow_backup_report report = COW_BACKUP_REPORT_INIT;
  must(cow_backup_wait(backup, &report));
  cow_backup_destroy(backup);
  claim("it took no more memory than it might",
        report.peak_extra_bytes <= options.most_extra_bytes);

  cow_region* loaded = NULL;
  const char* const saved[] = {"backup.cow"};
  must(cow_region_load(saved, 1, NULL, &loaded));
  const char* const then = cow_region_data(loaded);
  claim("the file has the bytes of the call",
        then[0] == 1 && then[cow_region_size(loaded) - 1] == 1);
  cow_region_destroy(loaded);

  cow_snapshot* base = NULL;
  cow_snapshot* next = NULL;
  must(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &base));
  bytes[0] = 3;
  must(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &next));
  must(cow_snapshot_save(base, "full.cow", NULL));
  must(cow_snapshot_save_delta(next, base, "step1.cow", NULL));
  const char* const chain[] = {"full.cow", "step1.cow"};
  must(cow_region_load(chain, 2, NULL, &loaded));
  claim("an image and its delta are the region",
        memcmp(cow_region_data(loaded), bytes, cow_region_size(region)) == 0);
  cow_region_destroy(loaded);
  cow_snapshot_destroy(base);
  cow_snapshot_destroy(next);
  cow_region_destroy(region);
  return unlink("backup.cow") + unlink("full.cow") + unlink("step1.cow") + rmdir(folder);
}
