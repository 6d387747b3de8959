#include "kernel_counts.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace cow_bench {

namespace {

/// "Pss:      12 kB" -> 12 KiB in bytes, if the line begins with the key.
void add_field(const std::string& line, std::string_view key, std::size_t& sum) {
  if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':') {
    sum += std::stoul(line.substr(key.size() + 1)) << 10U;
  }
}

}  // namespace

RangeUse use_of(std::span<const Pages> ranges) {
  const auto is_in_range = [&ranges](std::uintptr_t begin, std::uintptr_t end) {
    return std::ranges::any_of(ranges, [&](const Pages& pages) {
      const auto first = reinterpret_cast<std::uintptr_t>(pages.first);
      return begin < first + pages.count * pages.page_bytes && first < end;
    });
  };
  std::ifstream smaps("/proc/self/smaps");
  RangeUse use;
  bool inside = false;
  bool has_pss = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) {
      inside = is_in_range(begin, end);
      use.mappings += inside ? 1 : 0;
    } else if (inside) {
      has_pss = has_pss || line.starts_with("Pss:");
      add_field(line, "Pss", use.pss);
      add_field(line, "Anonymous", use.anonymous);
      add_field(line, "Private_Dirty", use.private_dirty);
    }
  }
  if (!has_pss) {
    throw std::runtime_error("this kernel does not say in /proc/self/smaps who has what");
  }
  return use;
}

std::size_t frame_file_bytes() {
  std::size_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    std::error_code gone;  // the folder's own descriptor ends with the loop
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    struct stat file {};
    if (gone || target.find("memfd:cow-frames") == std::string::npos) continue;
    if (::stat(entry.path().c_str(), &file) != 0) {
      throw std::system_error(errno, std::generic_category(), "stat of a frame file");
    }
    bytes += static_cast<std::size_t>(file.st_blocks) * 512;
  }
  if (error) throw std::runtime_error("there is no /proc/self/fd: " + error.message());
  return bytes;
}

std::size_t page_table_bytes() {
  std::ifstream status("/proc/self/status");
  std::size_t bytes = 0;
  for (std::string line; std::getline(status, line);) add_field(line, "VmPTE", bytes);
  return bytes;
}

std::uint64_t minor_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return static_cast<std::uint64_t>(usage.ru_minflt);
}

std::size_t max_map_count() {
  std::ifstream file("/proc/sys/vm/max_map_count");
  std::size_t count = 0;
  return file >> count ? count : 0;
}

}  // namespace cow_bench
