#pragma once

// Single facts from files of /proc and /sys. Each is absent where its file is, or does not say it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cow::measure {

/// The first line, without spaces around it. Absent if there is none, or nothing in it.
[[nodiscard]] std::optional<std::string> first_line(const std::string& path);

/// All lines; none where the file cannot be read.
[[nodiscard]] std::vector<std::string> lines_of(const std::string& path);

/// What is behind the colon of the first line that begins with `key`.
[[nodiscard]] std::optional<std::string> field(const std::string& path, std::string_view key);

/// The number that text begins with. Absent where it begins with something else.
[[nodiscard]] std::optional<std::uint64_t> leading_number(std::string_view text);
[[nodiscard]] std::optional<std::uint64_t> number_in(const std::string& path);

/// A field of /proc/meminfo or /proc/self/status, which are in KiB, as bytes.
[[nodiscard]] std::optional<std::uint64_t> bytes_field(const std::string& path,
                                                       std::string_view key);

/// "always [madvise] never" -> "madvise"; text without brackets as it is.
[[nodiscard]] std::string chosen_word(const std::string& line);
[[nodiscard]] std::optional<std::string> chosen_in(const std::string& path);

[[nodiscard]] std::size_t host_page_bytes();

}  // namespace cow::measure
