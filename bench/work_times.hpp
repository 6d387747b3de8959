#pragma once

// How long work takes on memory that is simply there: see throughput.hpp.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "throughput.hpp"
#include "turns.hpp"

namespace cow_bench {

/// What plain memory may differ from other plain memory: the rows that compare two of it show it.
inline constexpr double no_difference = 1.03;

/// Two figures, one for each kind of work.
inline Figures time_work(std::byte* first, std::size_t bytes) {
  std::uint64_t start = now_ns();
  write_stream(first, bytes, start);
  benchmark::ClobberMemory();
  const double stream = elapsed_ns(start);
  start = now_ns();
  update_randomly(first, bytes, bytes / 64, start);
  benchmark::ClobberMemory();
  return {stream, elapsed_ns(start)};
}

/// Times of the two kinds of work over one memory.
struct WorkTimes {
  Samples stream;
  Samples update;

  /// Where the figures of time_work() go.
  [[nodiscard]] std::vector<Samples*> figures() { return {&stream, &update}; }
};

/// Its two figures, over what `make` maps.
template <typename Make>
[[nodiscard]] Prepare work_on(Make make) {
  return turns_over(
      make, [](auto& memory, std::uint64_t) { return time_work(memory.data(), memory.size()); });
}

}  // namespace cow_bench
