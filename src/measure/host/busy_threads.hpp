#pragma once

// Threads that keep their processors busy in user space: while they run, the kernel must interrupt
// them whenever it takes a page of the process away.

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace cow::measure {

/// Keeps the calling thread on one processor, until the end of the scope: the one it is on, if that
/// is among `processors`, otherwise their first. Where that is refused, it runs where it likes.
class StayHere {
 public:
  explicit StayHere(const std::vector<int>& processors);
  StayHere(const StayHere&) = delete;
  StayHere& operator=(const StayHere&) = delete;
  ~StayHere();

  [[nodiscard]] int processor() const { return processor_; }

 private:
  std::vector<int> before_;
  int processor_;
};

/// Threads that count, each in a word of its own, from the constructor's end to the destructor.
class BusyThreads {
 public:
  /// Each on one of `processors`, in turn, but not on `taken` where there are others.
  BusyThreads(std::size_t count, const std::vector<int>& processors, int taken);
  BusyThreads(const BusyThreads&) = delete;
  BusyThreads& operator=(const BusyThreads&) = delete;
  ~BusyThreads();

 private:
  void stop();

  std::atomic<bool> is_to_end_ = false;
  std::atomic<std::size_t> running_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace cow::measure
