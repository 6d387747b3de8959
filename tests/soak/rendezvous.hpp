// Lets the checker look at a moment in which no worker does anything.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace soak {

class Rendezvous {
 public:
  explicit Rendezvous(std::size_t workers) : working_(workers) {}

  // The checker:

  /// True when every worker rests, or has left; false if that takes longer than `patience`. Then
  /// the pause is still wanted.
  [[nodiscard]] bool pause(std::chrono::steady_clock::duration patience) {
    std::unique_lock guard(lock_);
    wanted_ = true;
    return changed_.wait_for(guard, patience, [&] { return working_ == 0; });
  }
  void resume() {
    const std::lock_guard guard(lock_);
    wanted_ = false;
    changed_.notify_all();
  }

  // A worker, between two of its operations:

  void rest_if_wanted() {
    if (!wanted_.load(std::memory_order_relaxed)) return;
    std::unique_lock guard(lock_);
    --working_;
    changed_.notify_all();
    changed_.wait(guard, [&] { return !wanted_; });
    ++working_;
  }
  void leave() {
    const std::lock_guard guard(lock_);
    --working_;
    changed_.notify_all();
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::size_t working_;
  std::atomic<bool> wanted_{false};
};

}  // namespace soak
