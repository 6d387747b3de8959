#pragma once

// Work that is measured in a process of its own, which waits in between.

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <system_error>

namespace examples {

class InProcess {
 public:
  /// `prepare()` is called in the new process, and what it returns with a number each time this is
  /// called with one; its seconds come back. The process is forked here.
  template <typename Prepare>
  explicit InProcess(const Prepare& prepare) {
    if (::pipe(orders_.data()) != 0 || ::pipe(answers_.data()) != 0) fail("pipe");
    child_ = ::fork();
    if (child_ < 0) fail("fork");
    if (child_ != 0) return;
    ::close(orders_[1]);
    const auto work = prepare();
    for (std::size_t order = 0; ::read(orders_[0], &order, sizeof order) == sizeof order;) {
      const double seconds = work(order);
      if (::write(answers_[1], &seconds, sizeof seconds) != sizeof seconds) break;
    }
    ::_exit(0);
  }
  InProcess(const InProcess&) = delete;
  InProcess& operator=(const InProcess&) = delete;
  ~InProcess() {
    for (const int end : {orders_[0], orders_[1], answers_[0], answers_[1]}) ::close(end);
    ::waitpid(child_, nullptr, 0);
  }

  double operator()(std::size_t order) const {
    double seconds = 0;
    if (::write(orders_[1], &order, sizeof order) != sizeof order ||
        ::read(answers_[0], &seconds, sizeof seconds) != sizeof seconds) {
      throw std::runtime_error("the process that measures fork() is gone");
    }
    return seconds;
  }

 private:
  [[noreturn]] static void fail(const char* call) {
    throw std::system_error(errno, std::generic_category(), call);
  }

  std::array<int, 2> orders_{};
  std::array<int, 2> answers_{};
  pid_t child_ = -1;
};

}  // namespace examples
