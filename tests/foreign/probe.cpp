// Causes faults and sends signals, and says on stdout all that can be seen of them. CMake builds
// it twice: one program uses libcow, the other does not know it.
// tests/scripts/foreign_faults_test.py compares what they say.
//
//   usage: cow_foreign_probe --kinds                  prints the names of the kinds
//          cow_foreign_probe < lines of "KIND DISPOSITION"   runs each, in a process of its own

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>

#include "arena.hpp"
#include "handler.hpp"
#include "kinds.hpp"
#include "library.hpp"
#include "tracer.hpp"

namespace {

using foreign::Disposition;
using foreign::Kind;

constexpr unsigned most_seconds = 300;

const Kind* kind_named(const std::string& name) {
  for (const auto kinds : {foreign::fault_kinds(), foreign::sent_kinds()}) {
    for (const Kind& kind : kinds) {
      if (name == kind.name) return &kind;
    }
  }
  return nullptr;
}

// Each signal is caused twice: what happened once must not change what happens next.
[[noreturn]] void run(const Kind& kind, const Disposition& disposition) {
  ::alarm(most_seconds);
  if (!foreign::make_arena()) ::_exit(95);
  foreign::place_instructions();
  foreign::begin_case(kind, disposition);
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  foreign::set_alternate_stack(disposition);
  foreign::install(disposition);

  foreign::Library library;
  library.store();
  foreign::attempt(kind.cause);
  library.store();
  foreign::attempt(kind.cause);
  library.store();
  ::_exit(0);
}

/// What a child writes to stderr.
class CaughtErrors {
 public:
  CaughtErrors() : file_(::memfd_create("stderr", MFD_CLOEXEC)) {}
  ~CaughtErrors() { ::close(file_); }
  CaughtErrors(const CaughtErrors&) = delete;
  CaughtErrors& operator=(const CaughtErrors&) = delete;

  void take_over() const { ::dup2(file_, STDERR_FILENO); }
  void show() const {
    std::array<char, 4000> text{};
    const ssize_t count = ::pread(file_, text.data(), text.size() - 1, 0);
    if (count > 0) foreign::say("stderr: %.200s", text.data());
  }

 private:
  int file_;
};

void run_in_child(const Kind& kind, const Disposition& disposition, bool& died) {
  const CaughtErrors errors;
  const pid_t child = ::fork();
  if (child == 0) {
    errors.take_over();
    run(kind, disposition);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  errors.show();
  died = WIFSIGNALED(status);
  if (died) {
    foreign::say("killed by signal %d, core dumped %d", WTERMSIG(status),
                 WCOREDUMP(status) ? 1 : 0);
  } else {
    foreign::say("exited with %d", WEXITSTATUS(status));
  }
}

// Once more, for the details of its death; what it says it has said before.
void show_death(const Kind& kind, const Disposition& disposition) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(96);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(96);
    foreign::let_parent_trace();
    run(kind, disposition);
  }
  const foreign::Death death = foreign::trace(child);
  if (!death.traced) {
    foreign::say("not traced");
  } else if (death.signalled) {
    foreign::say("last %s", foreign::describe(death.last, child).text);
  } else {
    foreign::say("no last signal");
  }
}

int run_lines() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::size_t space = line.find(' ');
    const Kind* const kind = kind_named(line.substr(0, space));
    Disposition disposition;
    if (kind == nullptr || space == std::string::npos ||
        !foreign::parse_disposition(line.c_str() + space + 1, disposition)) {
      std::fprintf(stderr, "not a kind and a disposition: %s\n", line.c_str());
      return 2;
    }
    foreign::say("== %s", line.c_str());
    bool died = false;
    run_in_child(*kind, disposition, died);
    if (died) show_death(*kind, disposition);
  }
  return 0;
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count == 2 && std::strcmp(arguments[1], "--kinds") == 0) {
    for (const Kind& kind : foreign::fault_kinds()) foreign::say("%s", kind.name);
    for (const Kind& kind : foreign::sent_kinds()) foreign::say("%s", kind.name);
    return 0;
  }
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  return run_lines();
}
