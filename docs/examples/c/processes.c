// README: fork() keeps regions apart, and templates that unrelated processes start from.

#include <sys/wait.h>
#include <unistd.h>

#include "must.h"

/// What a child's function returns.
static int in_child(int (*run)(void*), void* argument) {
  const pid_t child = fork();
  if (child == 0) _exit(run(argument));
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

static int store_two(void* region) {
  char* const bytes = cow_region_data(region);
  bytes[0] = 2;
  return bytes[0];
}

static int attach_and_store_three(void* name) {
  cow_region* attached = NULL;
  must(cow_attach(name, NULL, &attached));
  char* const bytes = cow_region_data(attached);
  if (bytes[0] != 1) return -1;
  bytes[0] = 3;
  return bytes[0];
}

int main(void) {
  cow_region* region = NULL;
  must(cow_region_create(1 << 20, NULL, &region));
  char* const bytes = cow_region_data(region);
  bytes[0] = 1;
  claim("a child stores to its own region", in_child(store_two, region) == 2);
  claim("the parent's keeps its byte", bytes[0] == 1);

  char name[64];
  snprintf(name, sizeof name, "example-c-%ld", (long)getpid());
  cow_snapshot* snapshot = NULL;
  must(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &snapshot));
  must(cow_publish(name, snapshot, NULL));
  claim("a process starts from a template", in_child(attach_and_store_three, name) == 3);
  claim("the next one finds it as it was", in_child(attach_and_store_three, name) == 3);
  must(cow_unpublish(name));
  cow_snapshot_destroy(snapshot);
  cow_region_destroy(region);
  return 0;
}
