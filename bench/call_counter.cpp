#include "call_counter.hpp"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>

#include "kernel_counts.hpp"

namespace cow_bench {

namespace {

// A system call that nobody makes otherwise tells the tracer where a piece of work begins and ends.
constexpr long marking_call = SYS_getpriority;
constexpr unsigned long marking_argument = 0x636f776d61726b;

constexpr int exit_not_traced = 4;

void mark() { ::syscall(marking_call, marking_argument, 0UL); }

[[noreturn]] void work_in_child(const std::function<WorkList()>& prepare,
                                std::span<std::uint64_t> faults) {
  try {
    const WorkList work = prepare();
    const auto do_all = [&] {
      for (std::size_t i = 0; i < work.size(); ++i) {
        const std::uint64_t before = minor_faults();
        mark();
        work[i]();
        mark();
        faults[i] = minor_faults() - before;
      }
    };
    do_all();
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(exit_not_traced);
    ::raise(SIGSTOP);
    do_all();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "counted process: %s\n", error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

/// Whether the child, stopped at a system call, is entering it, and whether that is a mark.
struct CallStop {
  bool enters = false;
  bool marks = false;
};

CallStop call_stop_of(pid_t child) {
  __ptrace_syscall_info info{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) <= 0) {
    throw std::system_error(errno, std::generic_category(), "PTRACE_GET_SYSCALL_INFO");
  }
  const bool enters = info.op == PTRACE_SYSCALL_INFO_ENTRY;
  return {enters, enters && static_cast<long>(info.entry.nr) == marking_call &&
                      info.entry.args[0] == marking_argument};
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  return status;
}

/// Follows the child to its end; its exit status, or minus the signal that ended it.
int follow(pid_t child, std::vector<KernelWork>& counted) {
  std::size_t marks = 0;
  int signal = 0;
  for (;;) {
    const int status = wait_for(child);
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return -WTERMSIG(status);
    const int stopped_by = WSTOPSIG(status);
    const bool counting = marks % 2 == 1 && marks / 2 < counted.size();
    signal = 0;
    if (stopped_by == (SIGTRAP | 0x80)) {
      const CallStop stop = call_stop_of(child);
      if (stop.marks) {
        ++marks;
      } else if (stop.enters && counting) {
        ++counted[marks / 2].calls;
      }
    } else if (stopped_by == SIGSTOP && marks == 0) {
      ::ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    } else {
      signal = stopped_by;
      if (counting) ++counted[marks / 2].signals;
    }
    ::ptrace(PTRACE_SYSCALL, child, 0, signal);
  }
}

}  // namespace

std::vector<KernelWork> count_kernel_work(std::size_t pieces,
                                          const std::function<WorkList()>& prepare) {
  const std::size_t bytes = pieces * sizeof(std::uint64_t);
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  const std::span<std::uint64_t> faults(static_cast<std::uint64_t*>(memory), pieces);
  const pid_t child = ::fork();
  if (child == 0) work_in_child(prepare, faults);
  std::vector<KernelWork> counted(pieces);
  int ended = 1;
  std::string failed;
  try {
    if (child > 0) ended = follow(child, counted);
  } catch (const std::exception& error) {
    failed = error.what();
    ::kill(child, SIGKILL);
    static_cast<void>(::waitpid(child, nullptr, 0));
  }
  for (std::size_t i = 0; i < pieces; ++i) counted[i].faults = faults[i];
  ::munmap(memory, bytes);
  if (!failed.empty()) throw std::runtime_error("a traced child tells nothing: " + failed);
  if (ended == exit_not_traced) {
    throw std::runtime_error("this process may not trace its children");
  }
  if (ended != 0) throw std::runtime_error("the child whose system calls are counted failed");
  return counted;
}

}  // namespace cow_bench
