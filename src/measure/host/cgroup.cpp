#include "measure/host/cgroup.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "measure/host/facts.hpp"

namespace cow::measure {

namespace {

/// Where the groups of a hierarchy are mounted.
struct Mount {
  std::string point;
  std::string group;  ///< which of them is at the mount point
};

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool lists(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == name) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

/// Of version 2 where `controller` is empty. A line of mountinfo: "31 23 0:28 / /sys/fs/cgroup
/// rw,relatime - cgroup2 cgroup2 rw,memory", with any number of words before the dash.
std::optional<Mount> mount_of(const std::string& root, std::string_view controller) {
  for (const std::string& line : lines_of(root + "/proc/self/mountinfo")) {
    const std::vector<std::string> words = words_of(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    const bool fits = controller.empty() ? dash[1] == "cgroup2"
                                         : dash[1] == "cgroup" && lists(dash[3], controller);
    if (fits) return Mount{words[4], words[3]};
  }
  return std::nullopt;
}

/// The group of this process: of a line "4:memory:/path", or "0::/path" of version 2.
std::optional<std::string> group_of(const std::string& root, std::string_view controller) {
  for (const std::string& line : lines_of(root + "/proc/self/cgroup")) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view names = std::string_view(line).substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : lists(names, controller)) {
      return line.substr(second + 1);
    }
  }
  return std::nullopt;
}

/// The folders of the group and of those above it, as far as they can be seen here. A container
/// sees its own group at the mount point.
std::vector<std::string> folders_of(const std::string& root, std::string_view controller) {
  const auto mount = mount_of(root, controller);
  const auto group = group_of(root, controller);
  if (!mount || !group) return {};
  std::string below = *group;
  if (mount->group != "/" && below.starts_with(mount->group)) below.erase(0, mount->group.size());
  std::vector<std::string> folders;
  while (!below.empty() && below != "/") {
    folders.push_back(std::string(root).append(mount->point).append(below));
    below.erase(below.rfind('/'));
  }
  folders.push_back(root + mount->point);
  return folders;
}

constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;  // version 1 has no word for it

class Limits {
 public:
  void offer(const std::string& name, std::optional<std::uint64_t> value, const std::string& file) {
    if (!value || *value >= kUnlimited) return;
    const auto known = std::find_if(found_.begin(), found_.end(),
                                    [&](const CgroupLimit& limit) { return limit.name == name; });
    if (known == found_.end()) {
      found_.push_back({name, *value, file});
    } else if (*value < known->value) {
      *known = {name, *value, file};
    }
  }
  std::vector<CgroupLimit> take() { return std::move(found_); }

 private:
  std::vector<CgroupLimit> found_;
};

/// "50000 100000" -> 50: the hundredths of one processor. "max 100000" is no limit.
std::optional<std::uint64_t> cpu_percent(const std::string& file) {
  const auto line = first_line(file);
  if (!line) return std::nullopt;
  const std::vector<std::string> words = words_of(*line);
  if (words.size() != 2) return std::nullopt;
  const auto quota = leading_number(words[0]);
  const auto period = leading_number(words[1]);
  return quota && period && *period > 0 ? std::optional(*quota * 100 / *period) : std::nullopt;
}

}  // namespace

std::vector<CgroupLimit> cgroup_limits(const std::string& root) {
  Limits limits;
  for (const std::string& folder : folders_of(root, "")) {
    for (const auto& [name, file] :
         {std::pair("memory_bytes", "/memory.max"), std::pair("memory_high_bytes", "/memory.high"),
          std::pair("swap_bytes", "/memory.swap.max"), std::pair("pids", "/pids.max")}) {
      limits.offer(name, number_in(folder + file), folder + file);
    }
    limits.offer("cpu_percent", cpu_percent(folder + "/cpu.max"), folder + "/cpu.max");
  }
  for (const std::string& folder : folders_of(root, "memory")) {
    for (const auto& [name, file] :
         {std::pair("memory_bytes", "/memory.limit_in_bytes"),
          std::pair("memory_and_swap_bytes", "/memory.memsw.limit_in_bytes")}) {
      limits.offer(name, number_in(folder + file), folder + file);
    }
  }
  for (const std::string& folder : folders_of(root, "pids")) {
    limits.offer("pids", number_in(folder + "/pids.max"), folder + "/pids.max");
  }
  for (const std::string& folder : folders_of(root, "cpu")) {
    const auto quota = number_in(folder + "/cpu.cfs_quota_us");
    const auto period = number_in(folder + "/cpu.cfs_period_us");
    if (quota && period && *period > 0) {
      limits.offer("cpu_percent", *quota * 100 / *period, folder + "/cpu.cfs_quota_us");
    }
  }
  return limits.take();
}

}  // namespace cow::measure
