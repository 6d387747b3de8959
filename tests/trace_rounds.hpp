// Threads beside a trace that has room for so much: what they do is counted in rounds, as many as
// they are allowed, so that how many events there are does not depend on the scheduler.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstddef>
#include <vector>

namespace support {

class Rounds {
 public:
  explicit Rounds(std::size_t threads) : done_(threads) {}

  /// Thread `thread` does one round, if it may.
  template <typename Work>
  void go_on(std::size_t thread, const Work& work) {
    if (done_[thread] >= allowed_) {
      ::sched_yield();
      return;
    }
    work();
    ++done_[thread];
  }

  /// Every thread may do so many more.
  void allow(std::size_t rounds) { allowed_ += rounds; }
  /// Waits until no thread may do more than `left` rounds.
  void wait_for_all_but(std::size_t left) const {
    for (const std::atomic<std::size_t>& done : done_) {
      while (done + left < allowed_) ::sched_yield();
    }
  }

 private:
  std::atomic<std::size_t> allowed_{0};
  std::vector<std::atomic<std::size_t>> done_;
};

}  // namespace support
