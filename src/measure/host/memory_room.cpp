#include "measure/host/memory_room.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "measure/host/facts.hpp"

namespace cow::measure {
namespace {

// The number behind `key` on its line, as in memory.stat and /proc/meminfo.
std::optional<std::uint64_t> number_behind(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    std::uint64_t number = 0;
    if (words >> word >> number && word == key) return number;
  }
  return std::nullopt;
}

void take_less(std::optional<MemoryRoom>& least, std::uint64_t bytes, std::string whose) {
  if (!least.has_value() || bytes < least->bytes) least = MemoryRoom{bytes, std::move(whose)};
}

struct Names {
  const char* limit;
  const char* used;
  const char* droppable;
};

// The group and all above it: each may be the one that is nearly full.
void look_at_groups(std::optional<MemoryRoom>& least, const std::string& mount, std::string group,
                    const Names& names) {
  while (true) {
    const std::string folder = mount + (group == "/" ? "" : group) + "/";
    const auto limit = number_in(folder + names.limit);
    const auto used = number_in(folder + names.used);
    if (limit.has_value() && used.has_value()) {
      const std::uint64_t kept =
          *used -
          std::min(*used, number_behind(folder + "memory.stat", names.droppable).value_or(0));
      take_less(least, *limit - std::min(*limit, kept), "the control group " + group);
    }
    if (group == "/" || group.empty()) return;
    const std::size_t slash = group.rfind('/');
    group = slash == 0 || slash == std::string::npos ? "/" : group.substr(0, slash);
  }
}

}  // namespace

std::optional<MemoryRoom> memory_room(const std::string& root) {
  std::optional<MemoryRoom> least;
  const auto available = number_behind(root + "/proc/meminfo", "MemAvailable:");
  if (available.has_value()) take_less(least, *available * 1024, "the system");
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // hierarchy:controllers:path; the second version has no controllers there.
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      look_at_groups(least, root + "/sys/fs/cgroup", group,
                     {"memory.max", "memory.current", "inactive_file"});
    } else if (("," + controllers + ",").find(",memory,") != std::string::npos) {
      look_at_groups(least, root + "/sys/fs/cgroup/memory", group,
                     {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"});
    }
  }
  return least;
}

}  // namespace cow::measure
