#pragma once

// Rows of an experiment as curves over one of their parameters: what pictures draw and advice
// reads.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tool/report/picture.hpp"
#include "tool/report/result_file.hpp"

namespace cow::tool {

/// How an experiment becomes a picture of lines.
struct LinePlan {
  std::string_view experiment;
  std::vector<std::string_view> x_keys;  ///< parameters: of those a row has, the largest is taken
  double factor;                         ///< from the parameter to `unit`
  std::string_view title;
  std::string_view what;
  std::string_view x_title;
  std::string_view unit;
  /// What advice says it is for; {} is the place of "100 pages", "of 64 MiB".
  std::string_view purpose;
  std::string_view noun{};   ///< of what a number of the axis counts
  std::string_view nouns{};  ///< and of several
};

struct CurvePoint {
  double x;
  const ResultRow* row;
};

/// One mechanism of one result, in the order of x.
struct Curve {
  std::string mechanism;
  std::string title;  ///< without the result's label
  std::size_t result;
  std::vector<CurvePoint> points;
};

/// The curves of one picture.
struct CurveGroup {
  const LinePlan* plan;
  std::string split;  ///< what tells it from the other pictures of the experiment, and sizes
  std::string unit;   ///< of the rows
  std::vector<Curve> curves;
};

/// The first of that mechanism; null if there is none.
[[nodiscard]] const Curve* curve_of(const CurveGroup& group, std::string_view mechanism);

[[nodiscard]] const LinePlan* line_plan(std::string_view experiment);

/// Of the measured rows of `experiment`. Rows that have no place on its axis are left out.
[[nodiscard]] std::vector<CurveGroup> curve_groups(std::span<const ResultFile> files,
                                                   const LinePlan& plan);

/// The place of a row on the axis of its experiment.
[[nodiscard]] std::optional<double> place_of(const LinePlan& plan, const ResultRow& row);

/// "64 MiB", "1 %", "100 stores", "4 threads".
[[nodiscard]] std::string parameter_words(std::string_view key,
                                          const nlohmann::ordered_json& value);

/// A value of the axis as words of a sentence: "12 %", "64 MiB", "100".
[[nodiscard]] std::string place_words(const LinePlan& plan, double x);

/// Where two curves cross beyond noise: before it one of them is seen to be less, behind it the
/// other. `x` is where straight lines between the medians cross.
struct Crossover {
  double x;
  double low;   ///< the last place measured before it at which a difference is seen
  double high;  ///< the first one behind it
  bool first_is_less_before;
};

[[nodiscard]] std::vector<Crossover> crossovers(const Curve& first, const Curve& second);

/// "1 and 50 %, about 8 %": nothing was measured between the first two, or no difference is seen.
[[nodiscard]] std::string crossover_words(const LinePlan& plan, const Crossover& crossover);

/// Less, more or none of one row against another, by their samples.
[[nodiscard]] measure::Difference difference_of(const ResultRow& ours, const ResultRow& theirs);

}  // namespace cow::tool
