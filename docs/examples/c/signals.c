// README: SIGSEGV belongs to libcow, which hands on what is not its own; and a handler that must
// stay in front can ask cow_try_handle_fault() first.

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "must.h"

static sigjmp_buf back;
static volatile sig_atomic_t ours, others;

static void on_fault(int signal, siginfo_t* info, void* context) {
  if (cow_try_handle_fault(signal, info, context) != 0) {
    ++ours;
    return;
  }
  ++others;
  siglongjmp(back, 1);
}

/// A store to memory of nobody's.
static void store_elsewhere(volatile char* address) {
  if (sigsetjmp(back, 1) == 0) *address = 1;
}

int main(void) {
  cow_region* region = NULL;
  cow_region_options options = COW_REGION_OPTIONS_INIT;
  options.mechanism = COW_MECHANISM_HANDLER;
  must(cow_region_create(1 << 20, &options, &region));
  volatile char* const bytes = cow_region_data(region);
  void* const nobodys = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (nobodys == MAP_FAILED) return 1;

  struct sigaction action = {0};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGSEGV, &action, NULL) != 0) return 1;
  claim("the program's handler is in front", cow_owns_sigsegv() == 0);
  bytes[0] = 1;
  claim("it has libcow resolve a store to a region", ours == 1 && bytes[0] == 1);
  store_elsewhere(nobodys);
  claim("and keeps what is not libcow's", others == 1);

  cow_snapshot* snapshot = NULL;
  must(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &snapshot));
  claim("the next call puts libcow in front again", cow_owns_sigsegv() == 1);
  bytes[0] = 2;
  claim("its faults are its own then", ours == 1 && bytes[0] == 2);
  store_elsewhere(nobodys);
  claim("what is not, is handed on", others == 2);
  cow_snapshot_destroy(snapshot);
  cow_region_destroy(region);
  return 0;
}
