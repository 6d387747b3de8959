#include "handler.hpp"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>

#include "arena.hpp"

namespace foreign {

namespace {

constexpr int errno_before = 77;
constexpr int errno_of_handler = 5;
constexpr int most_calls = 8;
constexpr int endless_exit = 91;

struct Situation {
  const Kind* kind = nullptr;
  Disposition disposition;
  std::atomic<int>* handled = nullptr;  // in memory shared with child processes
  std::atomic<int> entered{0};          // calls of handlers in this attempt
  long main_thread = 0;
  sigjmp_buf before;
};
Situation g_now;

long thread_id() { return ::syscall(SYS_gettid); }

// The C library hides two signals from sigprocmask.
std::uint64_t blocked_signals() {
  std::uint64_t mask = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &mask, sizeof(mask));
  return mask;
}

bool on_alternate_stack() {
  stack_t stack{};
  ::sigaltstack(nullptr, &stack);
  return (stack.ss_flags & SS_ONSTACK) != 0;
}

unsigned long long long_long(std::uint64_t value) { return value; }

// `what` holds what only one of the two sorts of handlers is given.
void react(const char* what) {
  const int error = errno;
  say("handler %s errno=%d blocked=%llx alternate_stack=%d main_thread=%d", what, error,
      long_long(blocked_signals()), on_alternate_stack() ? 1 : 0,
      thread_id() == g_now.main_thread ? 1 : 0);
  if (g_now.handled->fetch_add(1) == most_calls) ::_exit(endless_exit);
  const Kind& kind = *g_now.kind;
  if (g_now.entered.fetch_add(1) == 0 && kind.inside != nullptr) kind.inside();
  if (kind.reaction == Reaction::mend) kind.mend();
  errno = errno_of_handler;
  if (kind.reaction == Reaction::jump) siglongjmp(g_now.before, 1);
}

}  // namespace

void say(const char* format, ...) {
  char line[320];
  va_list arguments;
  va_start(arguments, format);
  const int size = std::vsnprintf(line, sizeof(line) - 1, format, arguments);
  va_end(arguments);
  line[size] = '\n';
  if (::write(STDOUT_FILENO, line, static_cast<std::size_t>(size) + 1) != size + 1) ::_exit(92);
}

void begin_case(const Kind& kind, const Disposition& disposition) {
  g_now.kind = &kind;
  g_now.disposition = disposition;
  g_now.main_thread = thread_id();
  void* const shared = ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) ::_exit(93);
  g_now.handled = new (shared) std::atomic<int>(0);
}

const Disposition& disposition_now() { return g_now.disposition; }

int times_handled() { return g_now.handled->load(); }

void attempt(void (*cause)()) {
  g_now.entered = 0;
  if (g_now.kind->spoil != nullptr) g_now.kind->spoil();
  if (sigsetjmp(g_now.before, 1) == 0) {
    errno = errno_before;
    cause();
  }
  const int error = errno;
  say("after errno=%d blocked=%llx", error, long_long(blocked_signals()));
}

void plain_handler(int signal) {
  char text[32];
  const int error = errno;
  std::snprintf(text, sizeof(text), "signal=%d", signal);
  errno = error;
  react(text);
}

void siginfo_handler(int /*signal*/, siginfo_t* info, void* context) {
  const int error = errno;
  const auto& interrupted = *static_cast<const ucontext_t*>(context);
  std::uint64_t mask = 0;
  std::memcpy(&mask, &interrupted.uc_sigmask, sizeof(mask));
  char text[192];
  std::snprintf(text, sizeof(text), "%s was_blocked=%llx", describe(*info, ::getpid()).text,
                long_long(mask));
  errno = error;
  react(text);
}

SignalText describe(const siginfo_t& info, pid_t self) {
  SignalText result{};
  const std::size_t room = sizeof(result.text);
  char* const text = result.text;
  const int code = info.si_code;
  if (code > 0) {
    std::snprintf(text, room, "signal=%d code=%d addr=%s", info.si_signo, code,
                  name_of(info.si_addr).text);
  } else if (code == SI_TIMER) {
    std::snprintf(text, room, "signal=%d code=%d value=%d", info.si_signo, code,
                  info.si_value.sival_int);
  } else {
    std::snprintf(text, room, "signal=%d code=%d from=%s value=%d", info.si_signo, code,
                  info.si_pid == self ? "self" : "another",
                  code == SI_QUEUE ? info.si_value.sival_int : 0);
  }
  return result;
}

}  // namespace foreign
