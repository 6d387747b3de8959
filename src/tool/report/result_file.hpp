#pragma once

// A result file as the report takes it: what was measured, with what is derived from it as the file
// has it, so that every number shown is one of the file.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "measure/figures/statistics.hpp"
#include "measure/result.hpp"

namespace cow::tool {

/// The key `against` of a row.
struct RowAgainst {
  std::string mechanism;
  double ratio;
  measure::Interval interval;
  double p;
  measure::Difference difference;
  bool are_enough = true;  ///< samples of both, to tell them apart at all
};

struct ResultRow {
  measure::Row row;
  std::string name;
  // Only where measured.
  double median = 0;
  measure::Interval interval{};
  std::vector<std::pair<std::string, double>> percentiles{};
  std::optional<measure::Histogram> histogram{};
  std::optional<RowAgainst> against{};
  std::vector<std::pair<std::string, double>> parts{};  ///< medians, in the order of time

  [[nodiscard]] bool is_measured() const { return row.status == measure::Status::measured; }
};

struct ResultFile {
  std::string path;
  std::string label;  ///< "A: RESULT.json"; the path where it is the only one
  nlohmann::ordered_json document;
  measure::Result result;
  std::vector<ResultRow> rows;

  /// "environment" of the file; an empty object if it has none.
  [[nodiscard]] nlohmann::ordered_json environment() const;
};

/// Whether this is what `cow bench` writes, of whatever format.
[[nodiscard]] bool is_result(const nlohmann::ordered_json& json);

/// Throws ToolError: another format, a part that is missing or wrong, no row that was measured.
[[nodiscard]] ResultFile result_file(const std::string& path, nlohmann::ordered_json json);

/// Labels them "A: …", "B: …" if there are several.
void set_labels(std::vector<ResultFile>& files);

}  // namespace cow::tool
