#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "measure/quantity.hpp"

namespace cow::measure {

/// A printable name for a sentence: of one that is too long the middle is left out.
[[nodiscard]] inline std::string shortened(std::string_view name) {
  constexpr std::size_t most_bytes = 300;
  constexpr std::size_t end_bytes = 100;
  if (name.size() <= most_bytes) return printable(name);
  const auto is_inside = [&](std::size_t at) {
    return (static_cast<unsigned char>(name[at]) & 0xc0U) == 0x80U;  // of a UTF-8 character
  };
  std::size_t first = most_bytes - end_bytes;
  std::size_t last = name.size() - end_bytes;
  while (first > 0 && is_inside(first)) --first;
  while (last < name.size() && is_inside(last)) ++last;
  return printable(name.substr(0, first)) + "[...]" + printable(name.substr(last));
}

}  // namespace cow::measure
