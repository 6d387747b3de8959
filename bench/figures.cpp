#include "figures.hpp"

#include <fmt/format.h>

namespace cow_bench {

std::string time_text(double ns) {
  if (ns < 1e4) return fmt::format("{:.0f} ns", ns);
  if (ns < 1e6) return fmt::format("{:.1f} µs", ns / 1e3);
  if (ns < 1e7) return fmt::format("{:.2f} ms", ns / 1e6);
  return ns < 1e9 ? fmt::format("{:.1f} ms", ns / 1e6) : fmt::format("{:.2f} s", ns / 1e9);
}

std::string bytes_text(double bytes) {
  constexpr double kib = 1U << 10U;
  constexpr double mib = 1U << 20U;
  if (bytes == 0) return "0";
  return bytes > -mib && bytes < mib ? fmt::format("{:.0f} KiB", bytes / kib)
                                     : fmt::format("{:.1f} MiB", bytes / mib);
}

std::string ratio_text(double ratio) {
  if (ratio > 0 && ratio < 0.095) return fmt::format("1/{:.0f}", 1 / ratio);
  return ratio < 100 ? fmt::format("{:.2f}", ratio) : fmt::format("{:.0f}", ratio);
}

}  // namespace cow_bench
