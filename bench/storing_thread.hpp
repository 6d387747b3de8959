#pragma once

// A thread that stores to random pages at a rate, and how long it was held up.

#include <atomic>
#include <cstdint>
#include <thread>

#include "stores.hpp"

namespace cow_bench {

/// Never sleeps: it reads the clock until the next store is due.
class StoringThread {
 public:
  StoringThread(Pages pages, std::uint64_t stores_a_second, std::uint64_t seed);
  StoringThread(const StoringThread&) = delete;
  StoringThread& operator=(const StoringThread&) = delete;
  ~StoringThread() { stop(); }

  /// From now on it notes how long each of its turns takes: reading the clock, and storing if a
  /// store is due.
  void watch() { is_watched_ = true; }
  /// Ends it. Nanoseconds of the longest turn since watch().
  double stop();

 private:
  void run();

  Pages pages_;
  std::uint64_t between_ns_;  ///< 0: it stores nothing
  std::uint64_t random_;
  std::atomic<bool> is_watched_ = false;
  std::atomic<bool> is_to_end_ = false;
  std::uint64_t longest_ns_ = 0;  ///< the thread's own until it has ended
  std::thread thread_;
};

}  // namespace cow_bench
