#pragma once

// Two results beside one another: what became slower or faster, beyond noise.

#include <string>
#include <vector>

#include "measure/figures/statistics.hpp"
#include "measure/result.hpp"

namespace cow::measure {

inline constexpr double most_noise = 0.2;

/// What a program ends with whose check was too noisy to find anything.
inline constexpr int exit_too_noisy = 3;

/// A row that both results measured.
struct Change {
  std::string name;
  double before;  ///< the medians
  double after;
  /// After against before. Its difference is that of these two alone, without regard to how many
  /// rows are compared.
  Against against;
  bool is_slower;  ///< or larger, for what is no time: beyond noise, all rows considered
  bool is_faster;
  std::string unit;
};

struct Check {
  std::vector<Change> changes;       ///< in the order of the rows now
  std::vector<std::string> missing;  ///< names of rows measured in the baseline and not now
  std::vector<std::string> environment_differences;  ///< sentences
  std::vector<std::string> added;                    ///< names of rows measured only now
  std::vector<std::string> notes;  ///< sentences: why rows are missing, which cannot be told apart
  double least_change = 0;  ///< a median that moved by no more, as a share, is no change here

  [[nodiscard]] bool is_anything_slower() const;
  /// Noise hides changes of more than most_noise, so that "nothing is slower" says next to nothing.
  [[nodiscard]] bool is_too_noisy() const;
  /// What was looked for: "changes below 7 % are not seen", and whether that is enough.
  [[nodiscard]] std::string limit_words() const;
};

/// Rows of one name are compared if they are of one unit and their parameters are equal, but for
/// those that say where a file was and what could not be counted. A row is slower if three things
/// hold: the rank test finds a difference among all rows, where Benjamini and Hochberg's procedure
/// keeps false alarms at 5 % of what it finds ("Controlling the false discovery rate", Journal of
/// the Royal Statistical Society B 57, 1995), so that many rows compared at once give no more of
/// them; the ratio's interval leaves 1 out; and the medians are further apart than least_change: 5
/// %, or the spread of either result's noise where that is more.
[[nodiscard]] Check check(const Result& baseline, const Result& now);

}  // namespace cow::measure
