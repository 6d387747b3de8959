#include "measure/host/busy_threads.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdint>

#include "measure/host/pinning.hpp"

namespace cow::measure {

StayHere::StayHere(const std::vector<int>& processors)
    : before_(list_processors()), processor_(::sched_getcpu()) {
  if (std::ranges::find(processors, processor_) == processors.end() && !processors.empty()) {
    processor_ = processors.front();
  }
  static_cast<void>(pin_to(processor_));
}

StayHere::~StayHere() { static_cast<void>(pin_to(before_)); }

BusyThreads::BusyThreads(std::size_t count, const std::vector<int>& processors, int taken) {
  std::vector<int> others = processors;
  std::erase(others, taken);
  if (others.empty()) others = {taken};
  try {
    for (std::size_t i = 0; i < count; ++i) {
      threads_.emplace_back([this, processor = others[i % others.size()]] {
        static_cast<void>(pin_to(processor));
        running_.fetch_add(1);
        volatile std::uint64_t word = 0;
        while (!is_to_end_.load(std::memory_order_relaxed)) word = word + 1;
      });
    }
  } catch (...) {
    stop();
    throw;
  }
  while (running_.load() < count) std::this_thread::yield();
}

BusyThreads::~BusyThreads() { stop(); }

void BusyThreads::stop() {
  is_to_end_ = true;
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace cow::measure
