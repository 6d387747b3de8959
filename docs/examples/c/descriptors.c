// README: do not close descriptors you did not open. After closefrom(3) loads go on, control calls
// fail with EBADF, and a store that needs a frame ends the process; files of yours under the same
// numbers are left alone.

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"

enum { bytes_in_all = 1 << 20, far = bytes_in_all / 2, most_numbers = 4096 };

/// A page of it is private, all others are shared with a snapshot.
static cow_region* new_region(cow_snapshot** snapshot) {
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.mechanism = COW_MECHANISM_HANDLER;
  cow_region* region = NULL;
  must(cow_region_create(bytes_in_all, &options, &region));
  char* const bytes = cow_region_data(region);
  memset(bytes, 1, bytes_in_all);
  must(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, snapshot));
  bytes[0] = 2;
  return region;
}

/// The number of a region's frame file: what a program that closes descriptors can spare.
static int frame_file(void) {
  for (int number = 3; number < most_numbers; ++number) {
    char link[64], name[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", number);
    if (readlink(link, name, sizeof name - 1) > 0 && strstr(name, "memfd:cow-") != NULL) {
      return number;
    }
  }
  exit(1);
}

static void close_all(void) {
#if __GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 34)
  closefrom(3);
#else
  for (int number = 3; number < most_numbers; ++number) close(number);
#endif
}

/// In a child process: the program's file gets the number, and a store needs a frame.
static void store_without_descriptor(int line) {
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  dup2(line, STDERR_FILENO);
  cow_snapshot* snapshot = NULL;
  cow_region* const region = new_region(&snapshot);
  const int number = frame_file();
  close_all();
  dup2(STDIN_FILENO, number);
  *((volatile char*)cow_region_data(region) + far) = 3;
  _exit(0);
}

int main(void) {
  // A file of the program's: the standard input, which closefrom(3) spares.
  FILE* const file = tmpfile();
  if (file == NULL || dup2(fileno(file), STDIN_FILENO) < 0) return 1;
  if (write(STDIN_FILENO, "mine", 4) != 4) return 1;

  int ends[2], status = 0;
  char said[400] = "";
  if (pipe(ends) != 0) return 1;
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) store_without_descriptor(ends[1]);
  if (child < 0 || waitpid(child, &status, 0) != child) return 1;
  close(ends[1]);
  if (read(ends[0], said, sizeof said - 1) < 0) return 1;
  claim("a store that needs a frame ends the process",
        WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
  claim("after one line", strncmp(said, "libcow: the store to 0x", 23) == 0);

  cow_snapshot *snapshot = NULL, *next = NULL;
  cow_region* const region = new_region(&snapshot);
  cow_region* clone = NULL;
  volatile char* const bytes = cow_region_data(region);
  const int number = frame_file();
  close_all();
  claim("without the descriptor loads go on", bytes[far] == 1);
  bytes[0] = 3;
  claim("so do stores to private pages", bytes[0] == 3);
  claim("a snapshot is EBADF",
        cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &next) == EBADF && next == NULL);
  printf("  %.*s\n", (int)strcspn(cow_last_error(), "(") - 1, cow_last_error());

  if (dup2(STDIN_FILENO, number) != number) return 1;
  claim("a file of the program's under its number is not taken for it",
        cow_region_clone(region, COW_CLONE_LAZY, &clone) == EBADF &&
            cow_region_restore(region, snapshot) == EBADF);
  claim("the region is as it was", bytes[0] == 3 && bytes[far] == 1);
  cow_snapshot_destroy(snapshot);
  cow_region_destroy(region);
  cow_trim();
  must(cow_region_create(bytes_in_all, NULL, &clone));
  memset(cow_region_data(clone), 4, bytes_in_all);
  cow_region_destroy(clone);
  claim("a region that is made afterwards works", 1);

  char now[5] = "";
  struct stat found;
  claim("and the file is open and has its bytes, size and position",
        fstat(number, &found) == 0 && found.st_size == 4 && pread(number, now, 5, 0) == 4 &&
            memcmp(now, "mine", 4) == 0 && lseek(number, 0, SEEK_CUR) == 4);
  return 0;
}
