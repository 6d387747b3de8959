#pragma once

// The results of comparisons as a Markdown table and as JSON.

#include <string>
#include <vector>

#include "comparison.hpp"

namespace cow_bench {

/// Machine, table of all rows, parts of the fault, notes. In a quick run nothing is called met.
[[nodiscard]] std::string as_markdown(const std::vector<Group>& groups);

/// The same with quartiles and every sample.
[[nodiscard]] std::string as_json(const std::vector<Group>& groups);

}  // namespace cow_bench
