#include "forking.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "measure/mechanisms/forked_child.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

namespace measure = cow::measure;

/// However it ends.
void wait_for(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

ForkTimes time_fork() {
  ForkTimes times;
  const std::uint64_t start = now_ns();
  const pid_t child = measure::fork_child([] {});
  times.returned_ns = elapsed_ns(start);
  measure::reap(child);
  times.reaped_ns = elapsed_ns(start);
  return times;
}

double time_trial(const std::function<void()>& body) {
  const std::uint64_t start = now_ns();
  measure::reap(measure::fork_child(body));
  return elapsed_ns(start);
}

WorkingChild::WorkingChild(const std::function<void()>& work) : child_(measure::fork_child(work)) {}

WorkingChild::~WorkingChild() {
  if (child_ != 0) wait_for(child_);
}

bool WorkingChild::is_working() {
  if (child_ == 0) return false;
  int status = 0;
  const pid_t ended = ::waitpid(child_, &status, WNOHANG);
  if (ended != child_) return true;
  child_ = 0;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error("a child process of a benchmark failed");
  }
  return false;
}

}  // namespace cow_bench
