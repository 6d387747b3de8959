#pragma once

// Rows of results as tables, and numbers as they are written in them.

#include <string>
#include <vector>

#include "tool/report/result_file.hpp"

namespace cow::tool {

/// One experiment and unit: a line for each workload, a column for each mechanism. Null where there
/// is no such row.
struct ResultTable {
  std::string experiment;
  std::string unit;
  std::string sample;
  std::vector<std::string> mechanisms;
  struct Line {
    std::string workload;
    std::vector<const ResultRow*> cells;
  };
  std::vector<Line> lines;

  /// Sides with names of their own in every workload: better as a list of pairs.
  [[nodiscard]] bool is_list() const;
};

[[nodiscard]] std::vector<ResultTable> tables_of(const ResultFile& file);

/// Of a median, with three digits: "12.3 us", "64 MiB", "1,024 frames". `micro` is "us", or "µs"
/// where that may be written.
[[nodiscard]] std::string figure_words(double value, const std::string& unit,
                                       const std::string& micro = "us");

/// How many of the stores faulted, where single stores were measured and not all did: "9.4 % of the
/// stores faulted"; otherwise empty.
[[nodiscard]] std::string fault_share_words(const ResultRow& row);

/// "0.05", "1/333": a ratio below a hundredth reads better so.
[[nodiscard]] std::string ratio_words(double ratio);

/// What is said where no difference is seen, as it was looked for or could not be.
enum class Likeness { none, same, too_few };
[[nodiscard]] Likeness likeness_to_against(const ResultRow& row);

/// The machine and the build in one line.
[[nodiscard]] std::string environment_line(const ResultFile& file);

/// What is to be known before the figures: sentences. Of two results also in what the machines
/// differ (measure::Check has them).
[[nodiscard]] std::vector<std::string> notes_of(const ResultFile& file);

}  // namespace cow::tool
