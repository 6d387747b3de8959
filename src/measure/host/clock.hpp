#pragma once

// The clock that everything here is timed with.

#include <cstdint>
#include <ctime>

namespace cow::measure {

/// CLOCK_MONOTONIC in nanoseconds.
[[nodiscard]] inline std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

[[nodiscard]] inline double elapsed_ns(std::uint64_t since) {
  return static_cast<double>(now_ns() - since);
}

}  // namespace cow::measure
