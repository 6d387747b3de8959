#pragma once

// The figures libcow has to reach, each as a measurement of two sides that take turns.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "samples.hpp"

namespace cow_bench {

enum class Unit { nanoseconds, frames, bytes };

/// One comparison.
struct Row {
  std::string what;
  std::string ours;    ///< what libcow's side does
  std::string theirs;  ///< what it is compared with
  Unit unit = Unit::nanoseconds;
  Samples our_samples{};
  Samples their_samples{};
  std::optional<double> most{};  ///< the ratio to reach; without one the row is there to compare
  std::string note{};

  [[nodiscard]] double ratio() const { return our_samples.median() / their_samples.median(); }
};

/// Rows measured together, and the parts of a fault where they belong to it.
struct Group {
  std::vector<Row> rows;
  std::vector<std::pair<std::string, double>> fault_parts_ns{};
};

struct NamedGroup {
  std::string_view name;
  Group (*measure)();
};

[[nodiscard]] const std::vector<NamedGroup>& every_group();

}  // namespace cow_bench
