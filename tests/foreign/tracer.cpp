#include "tracer.hpp"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace foreign {

namespace {

constexpr int refused_exit = 94;

void resume(pid_t thread, int signal) {
  ::ptrace(PTRACE_CONT, thread, nullptr, static_cast<long>(signal));
}

// The signal to deliver to a thread that has stopped.
int signal_at_stop(pid_t thread, int status, Death& death) {
  const bool is_event = status >> 16 != 0;
  const int signal = WSTOPSIG(status);
  if (is_event || signal == SIGSTOP) return 0;  // a thread was made
  if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL) {
    siginfo_t info{};
    if (::ptrace(PTRACE_GETSIGINFO, thread, nullptr, &info) == 0) {
      death.last = info;
      death.signalled = true;
    }
  }
  return signal;
}

}  // namespace

void let_parent_trace() {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(refused_exit);
  ::raise(SIGSTOP);
}

Death trace(pid_t child) {
  Death death;
  for (;;) {
    int status = 0;
    const pid_t thread = ::waitpid(-1, &status, __WALL);
    if (thread < 0 && errno == EINTR) continue;
    if (thread < 0) return death;
    if (WIFSTOPPED(status)) {
      if (!death.traced) {
        death.traced = true;
        ::ptrace(PTRACE_SETOPTIONS, thread, nullptr, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
      }
      resume(thread, signal_at_stop(thread, status, death));
    } else if (thread == child) {
      return death;
    }
  }
}

}  // namespace foreign
