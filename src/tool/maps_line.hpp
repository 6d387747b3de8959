#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.hpp"

namespace cow::tool {

/// One line of /proc/self/maps: one kernel mapping (VMA).
///
///   7f5c60342000-7f5c60343000 rw-s 00cc6000 00:01 1042    /memfd:cow-frames (deleted)
///   begin        end          perm offset   dev   inode   name
struct MapsLine {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string permissions;
  std::uint64_t offset = 0;  ///< where `begin` is in the file
  std::string text;          ///< the line itself, runs of blanks made one

  /// Where in `text` the file offset stands.
  std::size_t offset_column = 0;
  std::size_t offset_width = 0;

  [[nodiscard]] bool covers(std::uint64_t address) const noexcept {
    return begin <= address && address < end;
  }

  /// Where in the file the byte at `address` is. Precondition: covers(address).
  [[nodiscard]] std::uint64_t file_offset_of(std::uint64_t address) const noexcept {
    COW_CHECK(covers(address));
    return offset + (address - begin);
  }
};

/// Nothing if `line` is not a line of /proc/self/maps.
[[nodiscard]] inline std::optional<MapsLine> parse_maps_line(std::string_view line) {
  MapsLine result;
  bool blank = true;  // leading blanks go altogether
  for (const char character : line) {
    const bool is_blank = character == ' ' || character == '\t' || character == '\n';
    if (is_blank && blank) continue;
    result.text += is_blank ? ' ' : character;
    blank = is_blank;
  }
  if (!result.text.empty() && result.text.back() == ' ') result.text.pop_back();

  const char* cursor = result.text.data();
  const char* const end = cursor + result.text.size();
  const auto number = [&cursor, end](std::uint64_t& value) {
    const auto [after, error] = std::from_chars(cursor, end, value, 16);
    cursor = after;
    return error == std::errc{};
  };
  const auto character = [&cursor, end](char wanted) {
    return cursor != end && *cursor++ == wanted;
  };

  if (!number(result.begin) || !character('-') || !number(result.end) || !character(' ')) {
    return std::nullopt;
  }
  while (cursor != end && *cursor != ' ') result.permissions += *cursor++;
  if (result.permissions.size() != 4 || !character(' ')) return std::nullopt;
  result.offset_column = static_cast<std::size_t>(cursor - result.text.data());
  if (!number(result.offset)) return std::nullopt;
  result.offset_width =
      static_cast<std::size_t>(cursor - result.text.data()) - result.offset_column;
  if (!character(' ') || result.begin >= result.end) return std::nullopt;
  return result;
}

/// The line of /proc/self/maps that covers `address`; nothing if there is none, or no /proc.
[[nodiscard]] std::optional<MapsLine> find_maps_line(std::uint64_t address);

/// How many lines of /proc/self/maps lie in [begin, end), in whole or in part; 0 without /proc.
[[nodiscard]] std::size_t count_maps_lines(std::uint64_t begin, std::uint64_t end);

}  // namespace cow::tool
