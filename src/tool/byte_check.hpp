#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cow::tool {

/// Compares regions with plain copies, byte for byte, and keeps what did not match.
class ByteCheck {
 public:
  /// True if `actual` is `expected`. `name` says whose bytes they are.
  bool compare(std::string_view name, std::span<const std::byte> actual,
               std::span<const std::byte> expected);

  [[nodiscard]] bool passed() const { return mismatches_.empty(); }
  /// One sentence for each comparison that failed.
  [[nodiscard]] const std::vector<std::string>& mismatches() const { return mismatches_; }
  [[nodiscard]] std::uint64_t bytes_compared() const { return bytes_compared_; }

 private:
  std::vector<std::string> mismatches_;
  std::uint64_t bytes_compared_ = 0;
};

}  // namespace cow::tool
