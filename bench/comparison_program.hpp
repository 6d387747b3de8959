#pragma once

// The program around a list of comparisons: its options, its output, its exit status.

#include <string_view>
#include <vector>

#include "comparison.hpp"

namespace cow_bench {

/// Measures the groups in order (those that `--only` names, if it is there), prints a Markdown
/// table and writes a result (docs/bench-format.md) where `--json` says. Touches `peak_bytes` of
/// memory first. A figure that is not reached does not make it fail; with `--check` one that became
/// slower than in the baseline does. Returns the exit status.
int run_comparisons(int argc, char** argv, std::string_view program,
                    const std::vector<NamedGroup>& groups, std::size_t peak_bytes);

}  // namespace cow_bench
