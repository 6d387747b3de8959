#pragma once

#include <span>
#include <vector>

#include "tool/report/picture.hpp"
#include "tool/report/result_file.hpp"

namespace cow::tool {

/// The pictures of all results, in the order of the first one's rows. Rows that were not measured
/// give no point; what would have no point at all gives no picture.
[[nodiscard]] std::vector<Picture> pictures_of(std::span<const ResultFile> files);

/// By subject: what pictures_of puts together.
[[nodiscard]] std::vector<Picture> line_pictures(std::span<const ResultFile> files,
                                                 const std::string& experiment);
/// Medians beside one another, a category for each workload: a file, a recorded trace.
enum class BarRows { all, without_parts };
[[nodiscard]] std::vector<Picture> time_bars(std::span<const ResultFile> files,
                                             const std::string& experiment, BarRows rows);
/// Ratios to `against`, of experiments that no other picture suits.
[[nodiscard]] std::vector<Picture> ratio_pictures(std::span<const ResultFile> files,
                                                  const std::string& experiment);
/// A picture for each workload whose rows have histograms.
[[nodiscard]] std::vector<Picture> histogram_pictures(std::span<const ResultFile> files,
                                                      const std::string& experiment);
/// What faults are made of, a category for each row with parts.
[[nodiscard]] std::vector<Picture> stack_pictures(std::span<const ResultFile> files,
                                                  const std::string& experiment);

/// A logarithmic scale where values lie far apart; a linear one, too, where one of them is not
/// above 0.
[[nodiscard]] Scale scale_for(const std::vector<double>& values, double far_apart);

/// "time", "memory": what a unit measures.
[[nodiscard]] std::string quantity_of(const std::string& unit);

}  // namespace cow::tool
