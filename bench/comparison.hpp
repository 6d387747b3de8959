#pragma once

// One figure as a measurement of two sides that take turns: what `targets` and `ahead` are made of.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/result.hpp"
#include "samples.hpp"
#include "session.hpp"
#include "turns.hpp"

namespace cow_bench {

enum class Unit { nanoseconds, frames, bytes, mappings };

/// One comparison.
struct Row {
  std::string what;
  std::string ours;    ///< what libcow's side does
  std::string theirs;  ///< what it is compared with
  Unit unit = Unit::nanoseconds;
  Samples our_samples{};
  Samples their_samples{};
  std::optional<double> most{};     ///< the ratio to reach; without one the row is there to compare
  std::optional<double> at_most{};  ///< what our own median is to reach, in `unit`, instead
  std::string note{};
  std::string left_out{};  ///< why it could not be measured here; empty if it was

  [[nodiscard]] double ratio() const { return our_samples.median() / their_samples.median(); }
  [[nodiscard]] bool has_reach() const { return most || at_most; }
  [[nodiscard]] bool is_met() const {
    return (!most || ratio() <= *most) && (!at_most || our_samples.median() <= *at_most);
  }
};

/// Rows measured together, and the parts of a fault where they belong to it.
struct Group {
  std::vector<Row> rows;
  std::vector<cow::measure::NamedSamples> fault_parts_ns{};  ///< of the first row's our side
};

struct NamedGroup {
  std::string_view name;
  Group (*measure)();
};

}  // namespace cow_bench
