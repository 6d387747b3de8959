#pragma once

// What the answer to a fault leaves for the thread that stored: when each step of it ended.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace cow::measure {

/// By now_ns(); those behind the last step are 0.
using StepTimes = std::array<std::uint64_t, 5>;

/// Of one fault at a time: only one thread may store.
class NotedTimes {
 public:
  /// By who answers, before the store goes on. Async-signal-safe.
  void note(const StepTimes& times) noexcept {
    times_ = times;
    count_.fetch_add(1, std::memory_order_release);
  }
  /// By who stored. Nothing if there was not one fault since the last call.
  [[nodiscard]] std::optional<StepTimes> take() {
    if (count_.load(std::memory_order_acquire) != taken_ + 1) return std::nullopt;
    ++taken_;
    return times_;
  }
  /// Of stores that nobody asked about.
  void forget() { taken_ = count_.load(std::memory_order_acquire); }

 private:
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  StepTimes times_{};
  std::atomic<std::uint64_t> count_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace cow::measure
