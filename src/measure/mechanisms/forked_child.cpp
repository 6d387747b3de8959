#include "measure/mechanisms/forked_child.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace cow::measure {

namespace {

constexpr int exit_ok = 0;
constexpr int exit_failed = 3;

}  // namespace

pid_t fork_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child < 0) refused("fork");
  if (child > 0) return child;
  try {
    body();
  } catch (const std::exception& error) {
    const std::string line = std::string("a child process: ") + error.what() + "\n";
    static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
    ::_exit(exit_failed);
  } catch (...) {
    ::_exit(exit_failed);
  }
  ::_exit(exit_ok);
}

void reap(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) refused("waitpid");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_ok) {
    throw std::runtime_error("the child of fork() did not end well");
  }
}

SleepingChild::SleepingChild() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) refused("pipe2");
  const Descriptor sleep(ends[0]);
  Descriptor wake(ends[1]);
  child_ = fork_child([&ends] {
    ::close(ends[1]);
    char byte = 0;  // read returns when the parent closes its end, or is gone
    if (::read(ends[0], &byte, 1) < 0) refused("read");
  });
  wake_.emplace(std::move(wake));
}

SleepingChild::~SleepingChild() {
  if (child_ == 0) return;
  wake_.reset();
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void SleepingChild::end() {
  wake_.reset();
  reap(std::exchange(child_, 0));
}

}  // namespace cow::measure
