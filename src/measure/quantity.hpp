#pragma once

// Numbers as people read them. ASCII only, so that they look the same on every terminal.

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cow::measure {

/// 1234567 -> "1,234,567".
[[nodiscard]] inline std::string with_commas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t end = digits.size(); end > 3; end -= 3) digits.insert(end - 3, 1, ',');
  return digits;
}

/// `value` with `decimals` digits after the point: (1.25, 1) -> "1.2".
[[nodiscard]] inline std::string fixed(double value, int decimals) {
  return fmt::format("{:.{}f}", value, decimals);
}

/// 0x and lower-case digits, as /proc and debuggers print addresses.
[[nodiscard]] inline std::string hex(std::uint64_t number) { return fmt::format("{:#x}", number); }

/// "1 page", "2 pages", "1,668 pages".
[[nodiscard]] inline std::string counted(std::uint64_t number, std::string_view noun) {
  return with_commas(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

/// Bytes in the largest unit that leaves at least one: 512 -> "512 bytes", 6831736 -> "6.5 MiB".
[[nodiscard]] inline std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return counted(bytes, "byte");
  constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be printed as 1024.0.
  while (value >= 1023.95 && unit < 3) {
    value /= 1024;
    ++unit;
  }
  const bool whole = value == static_cast<double>(static_cast<std::uint64_t>(value));
  return fixed(value, whole ? 0 : 1) + " " + units[unit];
}

/// Nanoseconds in the unit that suits them: "842 ns", "12.3 us", "4.1 ms", "1.9 s".
[[nodiscard]] inline std::string time_text(std::uint64_t ns) {
  const auto value = static_cast<double>(ns);
  if (ns < 1'000) return std::to_string(ns) + " ns";
  if (ns < 1'000'000) return fixed(value / 1e3, 1) + " us";
  if (ns < 1'000'000'000) return fixed(value / 1e6, 1) + " ms";
  return fixed(value / 1e9, 1) + " s";
}

/// For a column of nanoseconds: those, or in a larger unit what would be wider than `width`.
[[nodiscard]] inline std::string time_cell(std::uint64_t ns, std::size_t width) {
  const std::string text = with_commas(ns);
  return text.size() <= width ? text : time_text(ns);
}

/// Whether UTF-8 `text` begins with a control character beyond ASCII's (C1), or with one that turns
/// the direction of what follows: how many bytes it has, or 0.
[[nodiscard]] inline std::size_t wide_control_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.size() >= 2 && byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return 2;
  if (text.size() < 3 || byte(0) != 0xe2) return 0;
  const bool turns = (byte(1) == 0x80 && byte(2) >= 0xaa && byte(2) <= 0xae) ||  // U+202A to 202E
                     (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9);    // U+2066 to 2069
  return turns ? 3 : 0;
}

/// A name from outside with its control characters replaced, so that it cannot move the cursor,
/// change colours, turn the line around or break it.
[[nodiscard]] inline std::string printable(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size();) {
    const auto code = static_cast<unsigned char>(name[i]);
    const std::size_t wide = wide_control_bytes(name.substr(i));
    text += code < 0x20 || code == 0x7f || wide > 0 ? '?' : name[i];
    i += wide > 0 ? wide : 1;
  }
  return text;
}

}  // namespace cow::measure
