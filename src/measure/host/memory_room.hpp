#pragma once

// How much memory can still be had.

#include <cstdint>
#include <optional>
#include <string>

namespace cow::measure {

struct MemoryRoom {
  std::uint64_t bytes = 0;
  std::string whose;  ///< what has so little: "the system", "the control group /build"
};

/// The least of what the system has available and what the control groups of this process still
/// allow; pages of files that can be dropped count as had. Absent where nobody says. `root` stands
/// before /proc and /sys, for tests.
[[nodiscard]] std::optional<MemoryRoom> memory_room(const std::string& root = "");

}  // namespace cow::measure
