#pragma once

// What writer and reader of a result file have to agree on.

#include <array>
#include <string_view>

namespace cow::measure {

inline constexpr int format_number = 1;

/// The key of the context under which is all that Google Benchmark has no key for.
inline constexpr const char* own_key = "cow_bench";

/// Where rows are: of unit ns, of another, and those that were skipped or failed.
inline constexpr std::array row_arrays = {"benchmarks", "quantities", "unmeasured"};

}  // namespace cow::measure
