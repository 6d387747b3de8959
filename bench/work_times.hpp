#pragma once

// How long work takes on memory that is simply there: see throughput.hpp.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>

#include "comparison.hpp"
#include "stores.hpp"
#include "throughput.hpp"

namespace cow_bench {

/// What plain memory may differ from other plain memory: the rows that compare two of it show it.
inline constexpr double no_difference = 1.03;

/// Times of the two kinds of work over one memory.
struct WorkTimes {
  Samples stream;
  Samples update;

  void run(std::byte* first, std::size_t bytes, bool wanted) {
    std::uint64_t start = now_ns();
    write_stream(first, bytes, start);
    benchmark::ClobberMemory();
    keep(wanted, stream, elapsed_ns(start));
    start = now_ns();
    update_randomly(first, bytes, bytes / 64, start);
    benchmark::ClobberMemory();
    keep(wanted, update, elapsed_ns(start));
  }
};

}  // namespace cow_bench
