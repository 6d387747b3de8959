#include "storing_thread.hpp"

#include <algorithm>

#include "session.hpp"

namespace cow_bench {

StoringThread::StoringThread(Pages pages, std::uint64_t stores_a_second, std::uint64_t seed)
    : pages_(pages),
      between_ns_(stores_a_second == 0 ? 0 : 1'000'000'000 / stores_a_second),
      random_(seed * 2 + 1),
      thread_([this] { run(); }) {}

double StoringThread::stop() {
  is_to_end_ = true;
  if (thread_.joinable()) thread_.join();
  return static_cast<double>(longest_ns_);
}

void StoringThread::run() {
  std::uint64_t last = now_ns();
  std::uint64_t due = last + between_ns_;
  while (!is_to_end_.load(std::memory_order_relaxed)) {
    if (between_ns_ != 0 && last >= due) {
      random_ = random_ * 6364136223846793005U + 1442695040888963407U;  // Knuth's MMIX
      pages_.store((random_ >> 29U) % pages_.count, random_);
      due = std::max(due + between_ns_, last);  // what was held up is not made up for
    }
    const std::uint64_t now = now_ns();
    if (is_watched_.load(std::memory_order_relaxed)) {
      longest_ns_ = std::max(longest_ns_, now - last);
    }
    last = now;
  }
}

}  // namespace cow_bench
