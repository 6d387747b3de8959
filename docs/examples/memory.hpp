#pragma once

// How much memory processes hold together. Pss alone does not do for libcow: frames that no process
// has mapped at the moment (a snapshot's) are memory all the same.

#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernel_counts.hpp"

namespace examples {

/// Bytes that processes hold together: memory of their own (shared pages for their parts, as Pss
/// counts), page tables, and each file in memory that any of them has open (libcow's frames), once,
/// whoever maps how much of it.
inline std::size_t memory_of(const std::set<pid_t>& processes) {
  std::size_t bytes = 0;
  std::map<std::pair<dev_t, ino_t>, std::size_t> files;
  for (const pid_t process : processes) {
    bytes += memory_bytes("Pss_Anon", process) + memory_bytes("Pss_File", process);
    bytes += status_bytes("VmPTE", process);
    const std::string folder = "/proc/" + std::to_string(process) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::error_code gone;  // the descriptor that reads this folder
      const std::string name = std::filesystem::read_symlink(entry.path(), gone).string();
      struct stat file {};
      if (!name.starts_with("/memfd:") || ::stat(entry.path().c_str(), &file) != 0) continue;
      files[{file.st_dev, file.st_ino}] = static_cast<std::size_t>(file.st_blocks) * 512;
    }
  }
  for (const auto& [identity, size_bytes] : files) bytes += size_bytes;
  return bytes;
}

/// Lines of the kernel's list of this process's mappings that show a part of one of `ranges`.
inline std::size_t count_mappings(const std::vector<std::span<const std::byte>>& ranges) {
  std::map<std::uintptr_t, std::uintptr_t> ends;  // of the ranges, by where they begin
  for (const auto range : ranges) {
    const auto begin = reinterpret_cast<std::uintptr_t>(range.data());
    ends[begin] = begin + range.size();
  }
  std::size_t count = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::uintptr_t begin = std::stoull(line, nullptr, 16);
    const auto behind = ends.upper_bound(begin);
    if (behind != ends.begin() && begin < std::prev(behind)->second) ++count;
  }
  return count;
}

}  // namespace examples
