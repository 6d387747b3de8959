#include "tool/bench/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>

#include <fmt/format.h>

#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

struct Shown {
  double divisor = 1;
  std::string name;
};

struct Step {
  double from = 0;
  Shown shown;
};

// The unit in which `value` has one to three digits before the point.
Shown shown_in(double value, std::string_view unit) {
  static const Step times[] = {{999.5e6, {1e9, "s"}}, {999.5e3, {1e6, "ms"}}, {999.5, {1e3, "us"}}};
  static const Step sizes[] = {{1023.5 * (1 << 20), {1 << 30, "GiB"}},
                               {1023.5 * (1 << 10), {1 << 20, "MiB"}},
                               {1023.5, {1 << 10, "KiB"}}};
  const double size = std::abs(value);
  if (unit == "ns" || unit == "bytes") {
    for (const Step& step : unit == "ns" ? times : sizes) {
      if (size >= step.from) return step.shown;
    }
  }
  return {1, std::string(unit)};
}

std::string whole(double value) {
  return (value < 0 ? "-" : "") +
         with_commas(static_cast<std::uint64_t>(std::llround(std::abs(value))));
}

}  // namespace

std::string cut_to(std::string_view text, std::size_t columns) {
  std::size_t end = 0;
  for (std::size_t count = 0; end < text.size() && count < columns; ++count) {
    do {
      ++end;
    } while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U);
  }
  return std::string(text.substr(0, end));
}

std::string digits(double value) {
  const double size = std::abs(value);
  if (size >= 99.95) return whole(value);
  if (size >= 9.995) return fixed(value, 1);
  if (size >= 0.1 || value == 0) return fixed(value, value == 0 ? 0 : 2);
  return fmt::format("{:.3g}", value);
}

std::string figure(double value, std::string_view unit) {
  const Shown shown = shown_in(value, unit);
  const double in_unit = value / shown.divisor;
  // What is counted is a whole number, and is not more exact with zeros behind it.
  const bool is_count = unit != "ns" && in_unit == std::floor(in_unit) && std::abs(in_unit) < 1e15;
  return (is_count ? whole(in_unit) : digits(in_unit)) + " " + shown.name;
}

std::string figure(const measure::Interval& interval, std::string_view unit) {
  const Shown shown = shown_in(interval.high, unit);
  return fmt::format("{} to {} {}", digits(interval.low / shown.divisor),
                     digits(interval.high / shown.divisor), shown.name);
}

}  // namespace cow::tool
