#include "forking.hpp"

#include <sys/socket.h>
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

constexpr char request_ready = 'r';  // answered with zeros as soon as the process is prepared
constexpr char request_measure = 'm';
constexpr char request_end = 'e';

/// However it ends.
void wait_for(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool read_all(int descriptor, void* into, std::size_t bytes) {
  auto* at = static_cast<std::byte*>(into);
  while (bytes > 0) {
    const ssize_t got = ::read(descriptor, at, bytes);
    if (got <= 0) {
      if (got < 0 && errno == EINTR) {
        continue;
      }
      return false;
    }
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

/// send, not write: without the peer it fails instead of raising SIGPIPE.
bool send_all(int descriptor, const void* from, std::size_t bytes) {
  const auto* at = static_cast<const std::byte*>(from);
  while (bytes > 0) {
    const ssize_t sent = ::send(descriptor, at, bytes, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) {
        continue;
      }
      return false;
    }
    at += sent;
    bytes -= static_cast<std::size_t>(sent);
  }
  return true;
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

SideProcess::SideProcess(std::size_t samples, const std::function<Measure()>& prepare)
    : samples_(samples) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  child_ = measure::fork_child([&] {
    ::close(ends[0]);
    const Measure measure = prepare();
    char request = 0;
    while (read_all(ends[1], &request, sizeof request) && request != request_end) {
      std::vector<double> answer(samples_, 0.0);
      if (request == request_measure) {
        answer = measure().values();
        answer.resize(samples_);
      }
      send_all(ends[1], answer.data(), answer.size() * sizeof(double));
    }
  });
  ::close(ends[1]);
  socket_ = ends[0];
  std::vector<double> ready(samples_);
  if (!send_all(socket_, &request_ready, 1) ||
      !read_all(socket_, ready.data(), samples_ * sizeof(double))) {
    ::close(socket_);
    wait_for(child_);
    throw std::runtime_error("the process of the other side could not be prepared");
  }
}

SideProcess::~SideProcess() {
  send_all(socket_, &request_end, 1);
  ::close(socket_);
  wait_for(child_);
}

Samples SideProcess::measure() const {
  std::vector<double> answer(samples_);
  if (!send_all(socket_, &request_measure, 1) ||
      !read_all(socket_, answer.data(), samples_ * sizeof(double))) {
    throw std::runtime_error("the process of the other side is gone");
  }
  return Samples(std::move(answer));
}

}  // namespace cow_bench
