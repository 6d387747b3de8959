#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/figures/check.hpp"
#include "tool/report/result_file.hpp"

namespace cow::tool {

/// All that is to be said of several results on top: notes of each with its label, in what the
/// environments differ, and of two of them what changed.
struct Comparisons {
  std::vector<std::string> notes;
  std::optional<measure::Check> check;  ///< of two results
};

[[nodiscard]] Comparisons compare_results(std::span<const ResultFile> files);

/// "slower", "faster", "no difference seen"; "more" and "less" of what is no time.
[[nodiscard]] std::string change_words(const measure::Change& change);

}  // namespace cow::tool
