#pragma once

// How every program in this folder runs: its size (full or quick), its clock, its warm-up, its
// main.

#include <cstddef>
#include <cstdint>
#include <ctime>

#include "measure/host/clock.hpp"

namespace cow_bench {

inline constexpr std::size_t kib = std::size_t{1} << 10;
inline constexpr std::size_t mib = std::size_t{1} << 20;
inline constexpr std::size_t gib = std::size_t{1} << 30;

/// True with COW_BENCH_QUICK=1 in the environment: small sizes and few repetitions, to see that a
/// benchmark still runs. Its figures mean nothing.
[[nodiscard]] bool quick();

/// `full`, or `small` in a quick run.
template <typename T>
[[nodiscard]] T full_or_quick(T full, T small) {
  return quick() ? small : full;
}

/// CLOCK_MONOTONIC, the clock of cow::FaultRecord.
using cow::measure::elapsed_ns;
using cow::measure::now_ns;

/// The processor time this thread has had. For work that one thread does without ever waiting: what
/// others do on the machine is not in it, but for the caches.
[[nodiscard]] inline std::uint64_t thread_time_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

/// Touches `peak_bytes` of fresh memory and gives it back, so that no benchmark is the first user
/// of a physical page: the host of a virtual machine provides it only then, which costs ten times
/// what anything here measures. Takes at most three quarters of the memory that is free, and
/// nothing in a quick run.
void warm_up(std::size_t peak_bytes);

/// The main of a Google Benchmark program: warms up, notes the machine in the output's context,
/// runs what was registered. Returns the exit status.
int run_google_benchmarks(int argc, char** argv, std::size_t peak_bytes);

}  // namespace cow_bench
