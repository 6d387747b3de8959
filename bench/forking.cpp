#include "forking.hpp"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "measure/mechanisms/numbers_of_child.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

constexpr int exit_ok = 0;
constexpr int exit_failed = 3;

constexpr char request_ready = 'r';  // answered with zeros as soon as the process is prepared
constexpr char request_measure = 'm';
constexpr char request_end = 'e';

[[noreturn]] void refused(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

pid_t fork_or_throw() {
  const pid_t child = ::fork();
  if (child < 0) {
    refused("fork");
  }
  return child;
}

/// Waits for `child`; true if it ended with exit_ok.
bool reap(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      return false;
    }
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == exit_ok;
}

/// Runs `body` and ends this process, a child, without running anything of the parent's.
template <typename Body>
[[noreturn]] void end_after(const Body& body) {
  try {
    body();
  } catch (const std::exception& error) {
    fmt::print(stderr, "benchmark, child process: {}\n", error.what());
    ::_exit(exit_failed);
  }
  ::_exit(exit_ok);
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
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(exit_ok);
  }
  times.returned_ns = elapsed_ns(start);
  if (child < 0) {
    refused("fork");
  }
  reap(child);
  times.reaped_ns = elapsed_ns(start);
  return times;
}

double time_trial(const std::function<void()>& body) {
  const std::uint64_t start = now_ns();
  const pid_t child = fork_or_throw();
  if (child == 0) {
    end_after(body);
  }
  if (!reap(child)) {
    throw std::runtime_error("a child process of a benchmark failed");
  }
  return elapsed_ns(start);
}

Samples in_child(std::size_t count, const std::function<void(std::span<double>)>& body) {
  return Samples(cow::measure::numbers_of_child(count, body));
}

SleepingChild::SleepingChild() {
  int ends[2];
  if (::pipe(ends) != 0) {
    refused("pipe");
  }
  child_ = ::fork();
  if (child_ == 0) {
    ::close(ends[1]);
    char byte = 0;
    ::_exit(::read(ends[0], &byte, 1) >= 0 ? exit_ok : exit_failed);  // returns when [1] closes
  }
  const int error = errno;
  ::close(ends[0]);
  wake_ = ends[1];
  if (child_ < 0) {
    ::close(wake_);
    throw std::system_error(error, std::generic_category(), "fork");
  }
}

SleepingChild::~SleepingChild() {
  ::close(wake_);
  reap(child_);
}

WorkingChild::WorkingChild(const std::function<void()>& work) : child_(fork_or_throw()) {
  if (child_ == 0) end_after(work);
}

WorkingChild::~WorkingChild() {
  if (child_ != 0) reap(child_);
}

bool WorkingChild::is_working() {
  if (child_ == 0) return false;
  int status = 0;
  const pid_t ended = ::waitpid(child_, &status, WNOHANG);
  if (ended != child_) return true;
  child_ = 0;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_ok) {
    throw std::runtime_error("a child process of a benchmark failed");
  }
  return false;
}

SideProcess::SideProcess(std::size_t samples, const std::function<Measure()>& prepare)
    : samples_(samples) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    refused("socketpair");
  }
  child_ = fork_or_throw();
  if (child_ == 0) {
    ::close(ends[0]);
    end_after([&] {
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
  }
  ::close(ends[1]);
  socket_ = ends[0];
  std::vector<double> ready(samples_);
  if (!send_all(socket_, &request_ready, 1) ||
      !read_all(socket_, ready.data(), samples_ * sizeof(double))) {
    ::close(socket_);
    reap(child_);
    throw std::runtime_error("the process of the other side could not be prepared");
  }
}

SideProcess::~SideProcess() {
  send_all(socket_, &request_end, 1);
  ::close(socket_);
  reap(child_);
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
