#include "tool/report/svg_scale.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

// What is beyond is drawn as these are. The largest double times 1.1 is none, and the least one has
// but one digit.
constexpr double most_value = 1e300;
constexpr double least_value = 1e-300;

// Steps that are easy to count in: 1, 2, 5 and their tens.
double nice_step(double span, std::size_t most) {
  const double rough = span / static_cast<double>(most);
  const double ten = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * ten >= rough) return factor * ten;
  }
  return 10 * ten;
}

bool counts_in_twos(const std::string& unit) {
  return unit == "bytes" || unit == "KiB" || unit == "MiB" || unit == "GiB";
}

// NaN is 0, and there is room to add and to multiply.
double in_reach(double value) {
  return std::isnan(value) ? 0 : std::clamp(value, -most_value, most_value);
}

}  // namespace

SvgScale::SvgScale(Scale scale, double low, double high, double from, double to)
    : is_log_(scale == Scale::logarithmic && low > 0 && high > 0),
      low_(in_reach(low)),
      high_(in_reach(high)),
      from_(from),
      to_(to) {
  if (is_log_) {
    low_ = std::max(low_, least_value);
    high_ = std::max(high_, low_);
    // One value alone lies in the middle.
    if (high_ / low_ < 1.5) {
      low_ /= 2;
      high_ *= 2;
    }
    return;
  }
  low_ = std::min(low_, 0.0);
  // Values that are all the same, or as good as: steps between them would have no digits.
  const double least_span = std::max(1e-9 * std::max(-low_, std::abs(high_)), least_value);
  if (high_ - low_ < least_span) high_ = low_ < 0 ? 0 : 1;
}

double SvgScale::place(double value) const {
  value = in_reach(value);
  double share = (value - low_) / (high_ - low_);
  if (is_log_) {
    // Not of quotients, which may be too large.
    const double span = std::log(high_) - std::log(low_);
    share = (std::log(std::max(value, least_value)) - std::log(low_)) / span;
  }
  // What is far outside is drawn nowhere near, and has a number all the same.
  return from_ + std::clamp(share, -100.0, 100.0) * (to_ - from_);
}

double SvgScale::divisor(const std::string& unit) const {
  if (unit != "ns") return 1;
  // By the middle of what is shown, so that neither end has many zeros.
  const double middle = is_log_ ? std::sqrt(low_ * high_) : high_;
  if (middle >= 2e9) return 1e9;
  if (middle >= 2e6) return 1e6;
  if (middle >= 2e3) return 1e3;
  return 1;
}

std::string SvgScale::unit_of_labels(const std::string& unit) const {
  if (unit != "ns") return unit;
  const double by = divisor(unit);
  return by >= 1e9 ? "s" : by >= 1e6 ? "ms" : by >= 1e3 ? "\u00b5s" : "ns";
}

std::vector<double> SvgScale::linear_values(std::size_t most) const {
  std::vector<double> values;
  const double step = nice_step(high_ - low_, most);
  const double first = std::ceil(low_ / step - 1e-9);
  for (std::size_t i = 0; i <= most + 1; ++i) {
    const double value = (first + static_cast<double>(i)) * step;
    if (value > high_ + 1e-9 * std::abs(high_)) break;
    values.push_back(value);
  }
  return values;
}

std::vector<Tick> SvgScale::ticks(std::size_t most, const std::string& unit) const {
  std::vector<Tick> ticks;
  const double by = divisor(unit);
  const auto add = [&](double value, bool has_label) {
    if (value < low_ - 1e-9 * std::abs(low_) || value > high_ + 1e-9 * std::abs(high_)) return;
    ticks.push_back({value, has_label ? short_number(value / by) : ""});
  };
  if (!is_log_) {
    for (const double value : linear_values(most)) add(value, true);
    return ticks;
  }
  const double base = counts_in_twos(unit) ? 2 : 10;
  const double first = std::floor(std::log(low_) / std::log(base) + 1e-9);
  const double last = std::ceil(std::log(high_) / std::log(base) - 1e-9);
  const double every = std::max(1.0, std::ceil((last - first) / static_cast<double>(most)));
  const bool has_room = base == 10 && last - first <= 2;  // then 2 and 5 have numbers as well
  // Between labels there are lines, unless there would be nothing but lines.
  const double step = last - first > 40 ? every : 1;
  for (double power = first; power <= last; power += step) {
    const double value = std::pow(base, power);
    add(value, std::fmod(power - first, every) == 0);
    if (base != 10 || last - first > 6) continue;
    for (int i = 2; i <= 9; ++i) add(i * value, has_room && (i == 2 || i == 5));
  }
  return ticks;
}

std::string short_number(double value) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size >= 1e6) return fmt::format("{:.3g}", value);
  if (value >= 100) return with_commas(static_cast<std::uint64_t>(std::llround(value)));
  if (size >= 100) return fmt::format("{:.0f}", value);
  if (size < 1e-3) return fmt::format("{:.2g}", value);
  std::string text = fmt::format("{:.{}f}", value,
                                 size >= 10    ? 1
                                 : size >= 1   ? 2
                                 : size >= 0.1 ? 3
                                               : 4);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace cow::tool
