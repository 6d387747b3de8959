#pragma once

// Which of the mechanisms measured under one workload takes least, and how it is said.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tool/report/result_file.hpp"

namespace cow::tool {

/// Rows of one workload.
using ChoiceRows = std::vector<const ResultRow*>;

/// What is best under one workload.
struct Choice {
  std::vector<std::string> mechanisms;  ///< several: no difference seen between them
  std::string base;                     ///< of the ratio; empty: there is no other
  bool is_base_against = false;         ///< what the row is compared with; else the next best
  double ratio = 0;                     ///< of the least median to that of `base`
  std::string tracker;                  ///< that takes still less; empty: there is none
  double tracker_ratio = 0;             ///< of it to the best
  bool is_too_few = false;              ///< samples, to tell anything apart
};

/// A mechanism that is a program one has to write oneself: measured for comparison.
[[nodiscard]] bool is_tracker(std::string_view mechanism);

/// Whether `mechanism` answers the question of `experiment`, so that it may be taken.
[[nodiscard]] bool is_answer(std::string_view experiment, std::string_view mechanism);

/// The title, with what has to be known of it where it is advised: "eager copy (a memcpy into
/// memory that is kept and warm)".
[[nodiscard]] std::string advised_title(const std::string& mechanism);

/// Nothing of one mechanism alone. Those that cannot be told from the best are as good.
[[nodiscard]] std::optional<Choice> choice_of(std::string_view experiment, const ChoiceRows& all);

/// "take libcow, kernel: 0.05 of fork()"; the ratio is `least` to `most`.
[[nodiscard]] std::string choice_words(const Choice& choice, double least, double most);

/// "a", "a and b", "a; b and c".
[[nodiscard]] std::string titles_text(const std::vector<std::string>& mechanisms);

/// "0.05", "0.05 to 0.4".
[[nodiscard]] std::string ratios_text(double low, double high);

}  // namespace cow::tool
