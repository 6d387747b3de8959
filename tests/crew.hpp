// Threads for tests: told to stop, joined whatever happens, and words that several of them touch.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "support.hpp"

namespace support {

using Word = std::atomic_ref<std::uint64_t>;

inline Word shared_word(cow::Region& region, std::size_t page, std::size_t offset = 0) {
  return Word(word_at(region, page, offset));
}

/// Threads that are joined however the test leaves, after being told to stop.
class Crew {
 public:
  ~Crew() { stop(); }

  /// Runs `work()` again and again until stop(), but once at least.
  template <typename Work>
  void repeat(Work work) {
    threads_.emplace_back([this, work]() mutable {
      do {
        work();
      } while (!stopping_.load(std::memory_order_relaxed));
    });
  }

  template <typename Work>
  void run(Work work) {
    threads_.emplace_back(std::move(work));
  }

  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void stop() {
    stopping_.store(true, std::memory_order_relaxed);
    join();
  }

 private:
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace support
