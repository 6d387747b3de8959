#pragma once

// What was counted beside samples, and the parts that they were taken apart into, as tables.

#include <string>
#include <string_view>
#include <vector>

#include "tool/report/result_file.hpp"

namespace cow::tool {

/// Words in lines and columns, with a mechanism for each column.
struct Grid {
  std::string title{};
  std::vector<std::string> mechanisms{};
  struct Line {
    std::string name{};
    std::vector<std::string> cells{};
  };
  std::vector<Line> lines{};
};

/// Of one experiment: for each workload, medians of the parts of a sample and counts for each
/// sample: page faults, TLB flushes, shootdowns. `micro` as figure_words has it.
[[nodiscard]] std::vector<Grid> beside_tables(const ResultFile& file, std::string_view experiment,
                                              const std::string& micro = "us");

/// Sentences: rows of single stores of which not all faulted.
[[nodiscard]] std::vector<std::string> fault_shares(const ResultFile& file,
                                                    std::string_view experiment);

}  // namespace cow::tool
