#pragma once

// How figures are written: times, bytes, ratios.

#include <string>

namespace cow_bench {

/// "740 ns", "12.3 µs", "1.23 ms", "45.6 ms", "1.20 s".
[[nodiscard]] std::string time_text(double ns);

/// "64.0 MiB", "12.0 KiB", "0".
[[nodiscard]] std::string bytes_text(double bytes);

/// Small ratios as they are spoken of: 1/300.
[[nodiscard]] std::string ratio_text(double ratio);

}  // namespace cow_bench
