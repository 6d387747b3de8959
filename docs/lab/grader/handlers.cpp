// The graded file's handler of SIGSEGV, seen from outside: what it is called for, what it maps, and
// ways to call it at inconvenient moments. The linker sends the graded file's calls of sigaction,
// mmap, mprotect and munmap here (link_flags).
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include <cstdio>

#include "checks.hpp"

namespace grader {

namespace {

constexpr std::size_t endless = 5000;
struct sigaction graded;

std::atomic<std::size_t> company{0};
std::atomic<std::size_t> waiting{0};
std::atomic<std::size_t> meetings{0};
thread_local std::size_t place_in_line = 0;
thread_local bool in_handler = false;
std::atomic<std::size_t> replaced{0};
std::atomic<bool> slow{false};

void sleep_for(std::size_t nanoseconds) {
  const timespec time{0, static_cast<long>(nanoseconds)};
  if (nanoseconds > 0) ::nanosleep(&time, nullptr);
}

void let_others_look() { sleep_for(in_handler && slow ? 50'000 : 0); }

// Until so many threads are here, but not for ever: one may have found the page writable. Says
// which one came.
std::size_t meet() {
  const std::size_t meeting = meetings;
  if (company < 2) return 0;
  const std::size_t place = waiting++;
  if (place + 1 == company) {
    waiting = 0;
    ++meetings;
    return place;
  }
  for (int i = 0; i < 100'000 && meetings == meeting; ++i) ::sched_yield();
  if (meetings == meeting) --waiting;
  return place;
}

void on_fault(int number, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  verdict->faults += 1;
  verdict->in_a_row = verdict->at.exchange(address) == address ? verdict->in_a_row + 1 : 0;
  if (verdict->in_a_row > endless) {
    fail("%s: the same store faulted %zu times, and would for ever: the handler returns as if it "
         "had repaired the fault, but the page still cannot be stored to",
         verdict->doing, endless);
  }
  place_in_line = meet();
  in_handler = true;
  graded.sa_sigaction(number, info, context);
  in_handler = false;
  place_in_line = 0;
}

}  // namespace

void handle_faults_together(std::size_t threads) { company = threads; }

void slow_handlers_down() { slow = true; }

std::size_t replaced_in_handlers() { return replaced; }

}  // namespace grader

// NOLINTBEGIN(readability-identifier-naming): the names are those that the linker looks for.

extern "C" int __real_sigaction(int, const struct sigaction*, struct sigaction*);

extern "C" int __wrap_sigaction(int number, const struct sigaction* action,
                                struct sigaction* before) {
  if (number != SIGSEGV || action == nullptr || (action->sa_flags & SA_SIGINFO) == 0) {
    return __real_sigaction(number, action, before);
  }
  grader::graded = *action;
  struct sigaction ours = *action;
  ours.sa_sigaction = grader::on_fault;
  return __real_sigaction(number, &ours, before);
}

extern "C" void* __real_mmap(void*, std::size_t, int, int, int, off_t);
extern "C" int __real_munmap(void*, std::size_t);

// In handlers that run together, those that come later are late: they map over what earlier ones
// have mapped by then, if they should not map at all. Slow ones let others see what is there
// between one call and the next.
extern "C" void* __wrap_mmap(void* address, std::size_t length, int protection, int flags, int file,
                             off_t offset) {
  grader::replaced += grader::in_handler && (flags & MAP_FIXED) != 0;
  grader::sleep_for(300'000 * grader::place_in_line);
  void* const result = __real_mmap(address, length, protection, flags, file, offset);
  grader::let_others_look();
  return result;
}

extern "C" int __real_mprotect(void*, std::size_t, int);

extern "C" int __wrap_mprotect(void* address, std::size_t length, int protection) {
  const int result = __real_mprotect(address, length, protection);
  grader::let_others_look();
  return result;
}

extern "C" int __wrap_munmap(void* address, std::size_t length) {
  const int result = __real_munmap(address, length);
  grader::let_others_look();
  return result;
}

// NOLINTEND(readability-identifier-naming)
