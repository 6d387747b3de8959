#pragma once

// Comparisons as a result file has them.

#include <string>
#include <string_view>
#include <vector>

#include "comparison.hpp"
#include "measure/result.hpp"

namespace cow_bench {

/// "ns", "frames", "bytes" or "mappings".
[[nodiscard]] std::string name_of(Unit unit);

/// A row is a workload of two mechanisms: what libcow does, and what that is compared with, which
/// is in the workload's name, as there may be several beside one side of ours.
[[nodiscard]] std::vector<cow::measure::Row> as_rows(std::string_view group, const Group& measured);

/// A group that ended before it had rows: one row, of the reason.
[[nodiscard]] cow::measure::Row failed_row(std::string_view group, std::string_view reason);

/// Program, environment and commit, and the machine's noise, measured now.
[[nodiscard]] cow::measure::Result new_result(std::string_view program,
                                              const std::vector<std::string>& arguments);

}  // namespace cow_bench
