#pragma once

// The write fault of a region taken apart, from the store that is refused to the line after it.

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "measure/mechanisms/timed_faults.hpp"
#include "samples.hpp"

namespace cow_bench {

/// One sample a fault, in nanoseconds.
struct FaultParts {
  Samples delivery;  ///< the store is refused, the kernel raises SIGSEGV, the handler begins
  Samples locate;    ///< region found, lock held, entry read
  Samples allocate;  ///< a frame in the frame file
  Samples copy;      ///< the old bytes written into it
  Samples map;       ///< the frame mapped over the page, the entry updated
  Samples back;      ///< the handler returns, the store runs again (and enters the page table)
  Samples total;

  /// Name and samples of each part, in the order of time.
  [[nodiscard]] std::vector<std::pair<std::string_view, const Samples*>> in_order() const;
  void add(const FaultParts& others);
};

/// Stores to each page of `which` of one more clone. `clones` is what measure::timed_handler made.
[[nodiscard]] FaultParts record_faults(cow::measure::TimedFaults& clones,
                                       std::span<const std::size_t> which);

}  // namespace cow_bench
