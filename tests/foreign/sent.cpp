// SIGSEGV that somebody sends: no instruction was refused, and none will be again.

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "arena.hpp"
#include "kinds.hpp"

namespace foreign {

namespace {

constexpr int value = 4711;

void wait_a_millisecond() {
  const timespec millisecond{0, 1'000'000};
  ::nanosleep(&millisecond, nullptr);
}

// Returns when the signal has had its effect: at once if that is none, never if it is death.
void await_effect(int handled_before) {
  if (disposition_now().handling == Disposition::Handling::ignore) return;
  while (times_handled() == handled_before) wait_a_millisecond();
}

void set_sigsegv_blocked(bool blocked) {
  sigset_t segv;
  ::sigemptyset(&segv);
  ::sigaddset(&segv, SIGSEGV);
  ::pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &segv, nullptr);
}

bool sigsegv_is_pending() {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, SIGSEGV) == 1;
}

// ---- To oneself ---------------------------------------------------------------------------------

void kill_self() { ::kill(::getpid(), SIGSEGV); }

void raise_it() { ::raise(SIGSEGV); }

void queue_value() {
  sigval data{};
  data.sival_int = value;
  ::sigqueue(::getpid(), SIGSEGV, data);
}

void tgkill_self() { ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), SIGSEGV); }

// As crash reporters do to pass on what they were given: nothing tells it from a fault, except
// that no instruction will fault again.
void queue_copy_of_fault() {
  siginfo_t info{};
  info.si_signo = SIGSEGV;
  info.si_code = SEGV_ACCERR;
  info.si_addr = address_of(Place::none);
  ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::syscall(SYS_gettid), SIGSEGV, &info);
}

void send_while_blocked() {
  set_sigsegv_blocked(true);
  queue_value();
  say("pending=%d", sigsegv_is_pending() ? 1 : 0);
  set_sigsegv_blocked(false);
}

void expire_timer() {
  const int before = times_handled();
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGSEGV;
  event.sigev_value.sival_int = value;
  timer_t timer{};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) say("no timer");
  const itimerspec soon{{0, 0}, {0, 1}};
  ::timer_settime(timer, 0, &soon, nullptr);
  await_effect(before);
  for (itimerspec left = soon; left.it_value.tv_nsec != 0;) ::timer_gettime(timer, &left);
  ::timer_delete(timer);
}

// ---- To another thread --------------------------------------------------------------------------

std::atomic<bool> g_thread_is_ready{false};
std::atomic<bool> g_thread_may_end{false};

void* stay(void* /*nothing*/) {
  set_alternate_stack(disposition_now());
  g_thread_is_ready = true;
  while (!g_thread_may_end) wait_a_millisecond();
  return nullptr;
}

void send_to_thread() {
  g_thread_is_ready = false;
  g_thread_may_end = false;
  pthread_t thread{};
  if (::pthread_create(&thread, nullptr, &stay, nullptr) != 0) return say("no thread");
  while (!g_thread_is_ready) wait_a_millisecond();
  const int before = times_handled();
  ::pthread_kill(thread, SIGSEGV);
  await_effect(before);
  g_thread_may_end = true;
  ::pthread_join(thread, nullptr);
}

// ---- From another process -----------------------------------------------------------------------

void await_end(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// Not before fork() is over here: libcow's hooks have the other signals masked until then.
void send_from_process() {
  int line[2];
  if (::pipe(line) != 0) return;
  const pid_t sender = ::fork();
  if (sender == 0) {
    char go = 0;
    ::_exit(::read(line[0], &go, 1) == 1 ? ::kill(::getppid(), SIGSEGV) : 1);
  }
  if (::write(line[1], "", 1) != 1) return;
  await_end(sender);
  ::close(line[0]);
  ::close(line[1]);
  errno = 0;  // waitpid() was interrupted, or was not
}

bool is_asleep(pid_t process) {
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/%d/stat", process);
  std::FILE* const file = std::fopen(path, "r");
  char state = '?';
  const bool known = file != nullptr && std::fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
  if (file != nullptr) std::fclose(file);
  return known && state == 'S';
}

// Sends the signal to its parent when that sleeps in read(), and lets the read end when a handler,
// if there is one, has run.
[[noreturn]] void interrupt_parent(int pipe_end) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const pid_t parent = ::getppid();
  for (int asleep = 0; asleep < 5; wait_a_millisecond())
    asleep = is_asleep(parent) ? asleep + 1 : 0;
  const int before = times_handled();
  ::kill(parent, SIGSEGV);
  await_effect(before);
  for (int i = 0; i < 5; ++i) wait_a_millisecond();
  ::_exit(::write(pipe_end, "x", 1) == 1 ? 0 : 1);
}

void send_during_read() {
  int ends[2];
  if (::pipe(ends) != 0) return say("no pipe");
  const pid_t sender = ::fork();
  if (sender == 0) interrupt_parent(ends[1]);
  char byte = 0;
  const ssize_t count = ::read(ends[0], &byte, 1);
  say("read=%zd interrupted=%d", count, count < 0 && errno == EINTR ? 1 : 0);
  await_end(sender);
  ::close(ends[0]);
  ::close(ends[1]);
  errno = 0;
}

constexpr auto carry_on = Reaction::carry_on;

constexpr Kind kinds[] = {
    {"kill_self", carry_on, kill_self},
    {"raise", carry_on, raise_it},
    {"raise_left_by_jump", Reaction::jump, raise_it},
    {"sigqueue", carry_on, queue_value},
    {"tgkill", carry_on, tgkill_self},
    {"queued_copy_of_fault", carry_on, queue_copy_of_fault},
    {"sent_while_blocked", carry_on, send_while_blocked},
    {"timer", carry_on, expire_timer},
    {"to_another_thread", carry_on, send_to_thread},
    {"from_another_process", carry_on, send_from_process},
    {"sent_during_read", carry_on, send_during_read},
};

}  // namespace

std::span<const Kind> sent_kinds() { return kinds; }

}  // namespace foreign
