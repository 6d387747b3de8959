#pragma once

// What the kernel has counted, for examples that show where memory and time go: the memory of frame
// files, mappings, page tables, page faults.

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "measured.hpp"

namespace examples {

/// Memory of all frame files of this process. What only a snapshot holds lies there and is mapped
/// nowhere, so "Pss" does not have it.
inline std::size_t frame_file_bytes() {
  std::size_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    std::error_code gone;  // the folder's own descriptor ends with the loop
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    struct stat file {};
    if (gone || target.find("memfd:cow-frames") == std::string::npos) continue;
    claim(::stat(entry.path().c_str(), &file) == 0, "a frame file can be asked for its size");
    bytes += static_cast<std::size_t>(file.st_blocks) * 512;
  }
  claim(!error, "there is /proc/self/fd");
  return bytes;
}

/// Everything that regions and plain memory take: the process's private memory and frame files.
/// Where the kernel copies, its copies are anonymous memory.
inline std::size_t all_memory_bytes() { return memory_bytes("Anonymous") + frame_file_bytes(); }

/// Kernel mappings, the lines of /proc/PID/maps, that lie in `size` bytes from `first` on.
inline std::size_t mappings_in(const void* first, std::size_t size, pid_t process = ::getpid()) {
  const auto begin = reinterpret_cast<std::uintptr_t>(first);
  std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &from, &to) != 2) continue;
    if (from < begin + size && begin < to) ++count;
  }
  return count;
}

/// A number of /proc/PID/smaps, like "Anonymous", in bytes: the sum over the mappings that lie in
/// `size` bytes from `first` on.
inline std::size_t bytes_in(const std::string& key, const void* first, std::size_t size,
                            pid_t process = ::getpid()) {
  const auto begin = reinterpret_cast<std::uintptr_t>(first);
  std::ifstream maps("/proc/" + std::to_string(process) + "/smaps");
  bool is_in = false;
  std::size_t sum = 0;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
      is_in = from < begin + size && begin < to;
    } else if (is_in && line.starts_with(key + ":")) {
      sum += std::stoull(line.substr(key.size() + 1)) << 10;
    }
  }
  return sum;
}

/// A number of a file like /proc/self/status: "VmPTE" are the page tables, in bytes.
inline std::size_t status_bytes(const std::string& key, pid_t process = ::getpid()) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::stoull(line.substr(key.size() + 1)) << 10;
  }
  claim(false, "/proc/" + std::to_string(process) + "/status has a line " + key);
  return 0;
}

/// Page faults of this process so far that needed no disk.
inline std::uint64_t page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_minflt);
}

inline std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace examples
