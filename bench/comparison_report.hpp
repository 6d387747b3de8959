#pragma once

// The results of comparisons as a Markdown table, and what a check of them found as text.

#include <string>
#include <vector>

#include "comparison.hpp"
#include "measure/figures/check.hpp"
#include "measure/result.hpp"

namespace cow_bench {

/// Machine, table of all rows, parts of the fault, notes. In a quick run nothing is called met.
[[nodiscard]] std::string as_markdown(const std::vector<Group>& groups,
                                      const std::vector<std::string>& warnings);

/// What became slower or faster than in the baseline, and what could not be compared.
[[nodiscard]] std::string as_text(const cow::measure::Check& check);

}  // namespace cow_bench
