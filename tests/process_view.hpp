// What this process looks like from outside of the library: its descriptors, frame files and lines
// of /proc/self/maps.
#pragma once

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace process_view {

/// The numbers of all open descriptors, in ascending order.
inline std::vector<int> descriptors() {
  std::vector<int> found;
  DIR* const folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return found;
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    const int descriptor = std::atoi(entry->d_name);
    if (descriptor != ::dirfd(folder)) found.push_back(descriptor);
  }
  ::closedir(folder);
  std::sort(found.begin(), found.end());
  return found;
}

inline std::string path_of(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

/// What a descriptor refers to, in the kernel's words.
inline std::string target_of(int descriptor) {
  std::array<char, 256> target{};
  const ssize_t length = ::readlink(path_of(descriptor).c_str(), target.data(), target.size());
  return length < 0 ? "" : std::string(target.data(), static_cast<std::size_t>(length));
}

inline constexpr const char* frame_file_name = "memfd:cow-frames";

/// The descriptors of all frame files.
inline std::vector<int> frame_files() {
  std::vector<int> found;
  for (const int descriptor : descriptors()) {
    if (target_of(descriptor).find(frame_file_name) != std::string::npos) {
      found.push_back(descriptor);
    }
  }
  return found;
}

/// One line of /proc/self/maps.
struct Line {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::string permissions;  ///< "rwxs", with - or p in their places
  std::uint64_t inode = 0;
  std::string name;

  [[nodiscard]] bool readable() const { return permissions[0] == 'r'; }
  [[nodiscard]] bool writable() const { return permissions[1] == 'w'; }
  [[nodiscard]] bool executable() const { return permissions[2] == 'x'; }
  [[nodiscard]] bool shows_frames() const { return name.find(frame_file_name) != name.npos; }
};

inline std::vector<Line> lines() {
  std::vector<Line> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string text; std::getline(maps, text);) {
    std::istringstream in(text);
    Line line;
    char dash = 0;
    std::string offset;
    std::string device;
    in >> std::hex >> line.begin >> dash >> line.end >> line.permissions >> offset >> device;
    in >> std::dec >> line.inode;
    std::getline(in >> std::ws, line.name);
    if (line.permissions.size() == 4) found.push_back(line);
  }
  return found;
}

/// The lines that show any of the `length` bytes at `begin`.
inline std::vector<Line> lines_of(const void* begin, std::size_t length) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  std::vector<Line> found;
  for (const Line& line : lines()) {
    if (line.end > first && line.begin < first + length) found.push_back(line);
  }
  return found;
}

}  // namespace process_view
