#pragma once

// Programs with all of their heap in a piece of memory that they are given.

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "session.hpp"

namespace cow_bench {

inline constexpr std::size_t heap_bytes = 64 * mib;

struct HeapProgram {
  const char* name;
  bool has_threads;
  /// Fills the heap, then works; calls `tick` every some microseconds while it does, between two
  /// operations. Returns the nanoseconds of the work.
  std::function<double(std::span<std::byte> heap, const std::function<void()>& tick)> run;
};

/// Those whose library was there when this was built.
[[nodiscard]] std::vector<HeapProgram> heap_programs();

}  // namespace cow_bench
