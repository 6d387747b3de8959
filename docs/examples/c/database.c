// A counter that outlives its program: load it or begin anew, store on while it is saved.

#include <errno.h>
#include <unistd.h>

#include "must.h"

typedef struct database {
  long starts;
  long stores;
} database;

static int tell(void* context, const cow_backup_progress* progress) {
  *(uint64_t*)context = progress->pages_done;  // on libcow's thread
  return 0;                                    // anything else cancels
}

static long run(const char* path) {
  cow_region* region = NULL;
  int error = cow_region_load(&path, 1, NULL, &region);
  if (error == ENOENT) error = cow_region_create(1 << 20, NULL, &region);
  must(error);  // EBADMSG: the file was cut or changed
  database* const data = cow_region_data(region);
  data->starts += 1;

  uint64_t pages_done = 0;
  cow_backup_options options = COW_BACKUP_OPTIONS_INIT;
  options.progress = tell;
  options.context = &pages_done;  // must live until the backup has ended
  cow_backup* backup = NULL;
  must(cow_region_backup(region, path, &options, &backup));  // the bytes of this moment
  for (int i = 0; i < 1000; ++i) data->stores += 1;          // goes on meanwhile
  must(cow_backup_wait(backup, NULL));                       // destroying it would cancel it
  cow_backup_destroy(backup);

  const long starts = data->starts;
  cow_region_destroy(region);
  return pages_done == 0 ? -1 : starts;
}

int main(void) {
  char path[] = "/tmp/libcow-database-XXXXXX";
  const int descriptor = mkstemp(path);
  if (descriptor < 0 || close(descriptor) != 0 || unlink(path) != 0) return 1;
  claim("it begins without a file", run(path) == 1);
  claim("and goes on with what it saved", run(path) == 2 && run(path) == 3);
  return unlink(path);
}
