#pragma once

// How figures are written: times, bytes, counts, ratios.

#include <cstdint>
#include <string>

namespace cow_bench {

/// "740 ns", "12.3 µs", "1.23 ms", "45.6 ms", "1.20 s".
[[nodiscard]] std::string time_text(double ns);

/// "64.0 MiB", "12.0 KiB", "0".
[[nodiscard]] std::string bytes_text(double bytes);

/// "16,384".
[[nodiscard]] std::string count_text(std::uint64_t count);

/// Small ratios as they are spoken of: 1/300.
[[nodiscard]] std::string ratio_text(double ratio);

/// "9.3 %" of a share between 0 and 1; below one in a thousand with more digits.
[[nodiscard]] std::string percent_text(double share);

}  // namespace cow_bench
