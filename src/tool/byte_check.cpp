#include "tool/byte_check.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace cow::tool {

bool ByteCheck::compare(std::string_view name, std::span<const std::byte> actual,
                        std::span<const std::byte> expected) {
  if (actual.size() != expected.size()) {
    mismatches_.push_back(
        fmt::format("{} has {} bytes instead of {}", name, actual.size(), expected.size()));
    return false;
  }
  bytes_compared_ += actual.size();
  // memcmp for speed; where exactly they differ is asked only if they do.
  if (std::memcmp(actual.data(), expected.data(), actual.size()) == 0) return true;
  const auto difference = std::mismatch(actual.begin(), actual.end(), expected.begin());
  mismatches_.push_back(fmt::format(
      "byte {} of {} is {:#04x} instead of {:#04x}", difference.first - actual.begin(), name,
      std::to_integer<unsigned>(*difference.first), std::to_integer<unsigned>(*difference.second)));
  return false;
}

}  // namespace cow::tool
