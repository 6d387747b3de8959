#pragma once

// Threads that store to random pages in a way that shows, in an image, of which moment it is.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "mm/space/wait_times.hpp"

namespace cow_bench {

/// Eight threads, each of which counts up: its n-th store is n, to a word of its own in a random
/// page, of which another run of the same random numbers tells which it was. So the largest number
/// of a thread in an image says how many of its stores are in it, and what all words have to be.
class CountingStorm {
 public:
  static constexpr std::size_t kThreads = 8;
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr int kFiller = 1;  ///< what each byte is to be before
  using Counts = std::array<std::uint64_t, kThreads>;

  CountingStorm(std::byte* data, std::size_t bytes);
  ~CountingStorm() { stop(); }
  CountingStorm(const CountingStorm&) = delete;
  CountingStorm& operator=(const CountingStorm&) = delete;

  void stop();
  void reset_times() { times_.reset(); }
  /// How long stores took, since then.
  [[nodiscard]] const cow::WaitTimes& times() const { return times_; }
  /// How many stores each thread has completed. It may have done another one.
  [[nodiscard]] Counts counts() const;

  /// How many pages of the image are not what they were at one moment between two counts: each has
  /// of every thread the stores up to that moment and none after it. All of them, if the stores of
  /// a thread in it end before or after both.
  [[nodiscard]] std::size_t wrong_pages(std::span<const std::byte> image, const Counts& before,
                                        const Counts& after) const;

 private:
  void run(std::byte* data, std::size_t thread);

  std::size_t pages_;
  std::atomic<bool> stops_{false};
  std::array<std::atomic<std::uint64_t>, kThreads> done_{};
  cow::WaitTimes times_;
  std::vector<std::thread> threads_;
};

}  // namespace cow_bench
