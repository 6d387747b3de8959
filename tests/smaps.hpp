// What /proc/self/smaps says of each mapping beside its addresses.
#pragma once

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace support {

struct FlaggedMapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool shows_frames = false;
  std::string flags;  ///< in two letters each, after a space: see "VmFlags" in proc(5)

  [[nodiscard]] bool has(const char* flag) const {
    return flags.find(std::string(" ") + flag) != std::string::npos;
  }
};

/// All mappings; none where the kernel does not tell their flags.
inline std::vector<FlaggedMapping> flagged_mappings() {
  std::vector<FlaggedMapping> found;
  std::ifstream smaps("/proc/self/smaps");
  FlaggedMapping mapping;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) {
      mapping = {begin, end, line.find("memfd:cow-frames") != std::string::npos, ""};
    } else if (line.starts_with("VmFlags:")) {
      mapping.flags = line.substr(sizeof("VmFlags:") - 1);
      found.push_back(mapping);
    }
  }
  return found;
}

/// How many of the bytes lie in mappings with the flag.
inline std::size_t bytes_with(const char* flag, const std::byte* begin, std::size_t length) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  std::size_t bytes = 0;
  for (const FlaggedMapping& mapping : flagged_mappings()) {
    const std::uintptr_t from = std::max(mapping.begin, first);
    const std::uintptr_t to = std::min(mapping.end, first + length);
    if (from < to && mapping.has(flag)) bytes += to - from;
  }
  return bytes;
}

}  // namespace support
