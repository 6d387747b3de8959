#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cow {

/// How long threads waited, in buckets that grow by an eighth or less: eight for each power of two.
/// Any thread notes at any time, without a lock. Signal context: yes.
class WaitTimes {
 public:
  void note(std::uint64_t ns) noexcept {
    buckets_[bucket_of(ns)].fetch_add(1, std::memory_order_relaxed);
    total_ns_.fetch_add(ns, std::memory_order_relaxed);
    std::uint64_t most = most_ns_.load(std::memory_order_relaxed);
    while (most < ns && !most_ns_.compare_exchange_weak(most, ns, std::memory_order_relaxed)) {
    }
  }
  /// While nobody notes.
  void reset() noexcept {
    for (std::atomic<std::uint64_t>& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
    total_ns_.store(0, std::memory_order_relaxed);
    most_ns_.store(0, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t count() const noexcept {
    std::uint64_t count = 0;
    for (const std::atomic<std::uint64_t>& bucket : buckets_)
      count += bucket.load(std::memory_order_relaxed);
    return count;
  }
  [[nodiscard]] std::uint64_t total_ns() const noexcept {
    return total_ns_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t most_ns() const noexcept {
    return most_ns_.load(std::memory_order_relaxed);
  }
  /// A time that `percent` of all were not above; no more than an eighth too high. 0 if there were
  /// none.
  [[nodiscard]] std::uint64_t percentile_ns(unsigned percent) const noexcept {
    const std::uint64_t wanted = (count() * percent + 99) / 100;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size() && wanted > 0; ++i) {
      seen += buckets_[i].load(std::memory_order_relaxed);
      if (seen >= wanted) return end_of(i) < most_ns() ? end_of(i) : most_ns();
    }
    return 0;
  }

  /// Which bucket a time falls in, and the longest time that does.
  [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t ns) noexcept {
    if (ns < kParts) return ns;
    const auto power = static_cast<unsigned>(std::bit_width(ns)) - 1;
    return (power - kPartsPower) * kParts + (ns >> (power - kPartsPower));
  }
  [[nodiscard]] static constexpr std::uint64_t end_of(std::size_t bucket) noexcept {
    if (bucket < 2 * kParts) return bucket;
    const std::size_t power = bucket / kParts - 1;
    return (((bucket % kParts) + kParts + 1) << power) - 1;
  }

 private:
  static constexpr unsigned kPartsPower = 3;
  static constexpr std::size_t kParts = std::size_t{1} << kPartsPower;
  static constexpr std::size_t kBuckets = (64 - kPartsPower + 1) * kParts;

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> total_ns_{0};
  std::atomic<std::uint64_t> most_ns_{0};
};

static_assert(WaitTimes::bucket_of(7) == 7 && WaitTimes::end_of(7) == 7);
static_assert(WaitTimes::bucket_of(8) == 8 && WaitTimes::end_of(8) == 8);
static_assert(WaitTimes::bucket_of(1000) == WaitTimes::bucket_of(960));
static_assert(WaitTimes::end_of(WaitTimes::bucket_of(1000)) == 1023);

}  // namespace cow
