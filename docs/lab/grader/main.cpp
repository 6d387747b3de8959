// The grader: every test in a process of its own, so that one that crashes, loops or hangs is red
// and no more.   usage: grade [--only N]
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "checks.hpp"
#include "tests.hpp"

namespace grader {

namespace {

// For each test. COW_LAB_SECONDS is for the test of the grader, which has mistakes that hang.
const int seconds_allowed = [] {
  const char* const told = std::getenv("COW_LAB_SECONDS");
  return told == nullptr ? 10 : std::max(1, std::atoi(told));
}();

struct End {
  int status = 0;
  bool in_time = true;
  double busy_seconds = 0;
};

std::atomic<pid_t> running{0};

// Ctrl-C reaches this process alone, as a test is a group of processes of its own.
void stop(int number) {
  if (running > 0) ::kill(-running, SIGKILL);
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void forget_verdict() { std::memset(static_cast<void*>(verdict), 0, sizeof(*verdict)); }

End in_child(void (*run)()) {
  forget_verdict();
  std::fflush(stdout);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const int number : {SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    run();
    verdict->is = Verdict::Is::green;
    ::_exit(0);
  }
  ::setpgid(pid, pid);
  running = pid;
  End end;
  rusage usage{};
  const auto start = std::chrono::steady_clock::now();
  pid_t found = 0;
  while ((found = ::wait4(pid, &end.status, WNOHANG, &usage)) == 0) {
    end.in_time = std::chrono::steady_clock::now() - start < std::chrono::seconds(seconds_allowed);
    if (!end.in_time) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(-pid, SIGKILL);  // and those that it forked
  running = 0;
  if (found == 0) ::wait4(pid, &end.status, 0, &usage);
  end.busy_seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
  return end;
}

/// Empty if it is green.
std::string why_red(const End& end) {
  const std::string doing = verdict->doing[0] == '\0' ? "the test" : verdict->doing;
  const std::string limit = std::to_string(seconds_allowed) + " seconds";
  if (verdict->is == Verdict::Is::red) return verdict->sentence;
  if (!end.in_time && 4 * end.busy_seconds < seconds_allowed) {
    return doing + ": it waited for " + limit + ", as for a lock that nobody lets go";
  }
  if (!end.in_time) {
    return doing + ": it was busy for " + limit +
           " without an end: a lock that nobody lets go is "
           "tried again and again, or faults come back for ever";
  }
  if (WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGSEGV) {
    return doing + (verdict->faults > 0 ? ": it died of SIGSEGV, as a fault was not repaired"
                                        : ": it died of SIGSEGV");
  }
  if (WIFSIGNALED(end.status)) {
    return doing + ": it died of SIG" + sigabbrev_np(WTERMSIG(end.status));
  }
  if (verdict->is == Verdict::Is::green) return "";
  return doing + ": the process ended in the middle, with the exit code " +
         std::to_string(WEXITSTATUS(end.status));
}

std::vector<Test> all_tests() {
  std::vector<Test> tests = single_thread_tests();
  for (const Test& test : company_tests()) tests.push_back(test);
  return tests;
}

bool colours() { return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr; }

void report() {
  std::printf("\n%-28s  %15s  %17s\n%-28s  %7s %7s  %8s %8s\n", "stores to a clone", "copies",
              "mappings", "", "yours", "fewest", "yours", "fewest");
  for (const Measurement& one : measurements()) {
    const std::string why = why_red(in_child(one.run));
    if (!why.empty()) {
      std::printf("%-28s  %s\n", one.what, why.c_str());
      continue;
    }
    std::printf("%-28s  %7zu %7u  %8zu %8u\n", one.what, verdict->results[0], one.best_copies,
                verdict->results[1], one.best_mappings);
  }
}

int grade() {
  const std::vector<Test> tests = all_tests();
  std::size_t green = 0;
  for (std::size_t i = 0; i < tests.size(); ++i) {
    const std::string why = why_red(in_child(tests[i].run));
    green += why.empty();
    const char* const mark = why.empty() ? "green" : "red  ";
    std::printf("%s%s%s %2zu  %s\n", colours() ? (why.empty() ? "\033[32m" : "\033[31m") : "", mark,
                colours() ? "\033[0m" : "", i + 1, tests[i].claim);
    if (!why.empty()) std::printf("          %s\n", why.c_str());
  }
  std::printf("%zu of %zu are green\n", green, tests.size());
  if (green == tests.size()) report();
  return green == tests.size() ? 0 : 1;
}

// In this process, for a debugger.
int only(std::size_t number) {
  const std::vector<Test> tests = all_tests();
  if (number < 1 || number > tests.size()) {
    std::printf("there are tests 1 to %zu\n", tests.size());
    return 2;
  }
  verdict->alone = true;
  tests[number - 1].run();
  std::puts("green");
  return 0;
}

}  // namespace

}  // namespace grader

int main(int count, char** arguments) {
  void* const memory = ::mmap(nullptr, sizeof(grader::Verdict), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  grader::verdict = static_cast<grader::Verdict*>(memory);
  for (const int number : {SIGINT, SIGTERM}) ::signal(number, grader::stop);
  if (count == 1) return grader::grade();
  if (count == 3 && std::strcmp(arguments[1], "--only") == 0) {
    return grader::only(std::strtoul(arguments[2], nullptr, 10));
  }
  std::puts("usage: grade [--only N]");
  return 2;
}
