// A library to be preloaded, which owns SIGSEGV and SIGBUS before the program begins, as crash
// reporters do.

#include <signal.h>
#include <unistd.h>

namespace {

// Whoever gets a fault that is nobody's ends.
extern "C" void report_crash(int) { ::_exit(99); }

__attribute__((constructor)) void take_signals() {
  struct sigaction action {};
  action.sa_handler = report_crash;
  action.sa_flags = SA_ONSTACK;
  ::sigaction(SIGSEGV, &action, nullptr);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace
