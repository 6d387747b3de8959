#include "os/host.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace cow::os {

namespace {

constexpr std::size_t kDefaultMaxMapCount = 65530;

// Calls `use(data, size)` with each piece of a /proc file. False if it cannot be read.
template <class Use>
bool read_pieces(const char* path, const Use& use) noexcept {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  std::array<char, 16384> piece{};
  ssize_t size = 0;
  while ((size = ::read(file, piece.data(), piece.size())) > 0) {
    use(piece.data(), static_cast<std::size_t>(size));
  }
  ::close(file);
  return size == 0;
}

}  // namespace

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t max_map_count() noexcept {
  std::size_t value = 0;
  const bool read = read_pieces("/proc/sys/vm/max_map_count", [&](const char* data, std::size_t n) {
    for (std::size_t i = 0; i < n && data[i] >= '0' && data[i] <= '9'; ++i) {
      value = value * 10 + static_cast<std::size_t>(data[i] - '0');
    }
  });
  return read && value > 0 ? value : kDefaultMaxMapCount;
}

std::size_t count_mappings() noexcept {
  std::size_t lines = 0;
  read_pieces("/proc/self/maps", [&](const char* data, std::size_t n) {
    lines += static_cast<std::size_t>(std::count(data, data + n, '\n'));
  });
  return lines;
}

std::uint64_t monotonic_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace cow::os
