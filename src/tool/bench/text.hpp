#pragma once

// Figures as they stand in a table.

#include <cstddef>
#include <string>
#include <string_view>

#include "measure/figures/statistics.hpp"

namespace cow::tool {

/// The first `columns` characters of UTF-8 text.
[[nodiscard]] std::string cut_to(std::string_view text, std::size_t columns);

/// Three digits that matter: 0.0123, 1.23, 12.3, 123, 1,234.
[[nodiscard]] std::string digits(double value);

/// "1.23 ms", "64 MiB", "12 faults".
[[nodiscard]] std::string figure(double value, std::string_view unit);

/// "1.20 to 1.25 ms": both in the unit that suits the higher one.
[[nodiscard]] std::string figure(const measure::Interval& interval, std::string_view unit);

}  // namespace cow::tool
