#pragma once

// From values to places on paper, and the values that are written beside an axis.

#include <string>
#include <vector>

#include "tool/report/picture.hpp"

namespace cow::tool {

struct Tick {
  double value;
  std::string label;  ///< empty: a line without a number
};

class SvgScale {
 public:
  /// Of values from `low` to `high`, widened to ticks; `from` and `to` are their places. On a
  /// logarithmic scale all values are above 0; where one is not, it is a linear one. Any values
  /// have finite places, those that are not numbers too.
  SvgScale(Scale scale, double low, double high, double from, double to);

  [[nodiscard]] double place(double value) const;
  /// At most about `most` of them with labels. `base` 2 for sizes in memory. `unit` as in Axis: of
  /// nanoseconds the labels are in `unit_of_labels`.
  [[nodiscard]] std::vector<Tick> ticks(std::size_t most, const std::string& unit) const;
  /// "ms" where the labels of nanoseconds are in milliseconds; other units stay.
  [[nodiscard]] std::string unit_of_labels(const std::string& unit) const;
  [[nodiscard]] double low() const { return low_; }
  [[nodiscard]] double high() const { return high_; }

 private:
  [[nodiscard]] double divisor(const std::string& unit) const;
  [[nodiscard]] std::vector<double> linear_values(std::size_t most) const;

  bool is_log_;
  double low_;
  double high_;
  double from_;
  double to_;
};

/// A number with three digits that mean something: "0.05", "12.3", "1200".
[[nodiscard]] std::string short_number(double value);

}  // namespace cow::tool
