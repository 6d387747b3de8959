#pragma once

// The limits of the control groups that this process is in, of either version.

#include <cstdint>
#include <string>
#include <vector>

namespace cow::measure {

struct CgroupLimit {
  /// memory_bytes, memory_high_bytes, swap_bytes, memory_and_swap_bytes, pids, cpu_percent
  std::string name;
  std::uint64_t value = 0;  ///< the least of the group and those above it
  std::string file;         ///< that says it
};

/// Only what is limited. `root` stands before /proc and the mount points, for tests.
[[nodiscard]] std::vector<CgroupLimit> cgroup_limits(const std::string& root = "");

}  // namespace cow::measure
