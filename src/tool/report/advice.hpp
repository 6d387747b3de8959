#pragma once

#include <string>
#include <vector>

#include "tool/report/result_file.hpp"

namespace cow::tool {

/// Sentences that say which mechanism to take for what, on the machine of a result: only of what
/// was measured, and only where one is seen to differ from the others; otherwise that it is not.
struct Advice {
  std::vector<std::string> general;   ///< few: to be read first
  std::vector<std::string> detailed;  ///< of each workload
};

[[nodiscard]] Advice advice_of(const ResultFile& file);

/// The parts of it: what holds over all workloads of a kind, and what of each.
[[nodiscard]] std::vector<std::string> general_advice(const ResultFile& file);
[[nodiscard]] std::vector<std::string> detailed_advice(const ResultFile& file);

}  // namespace cow::tool
