#include "os/host.hpp"

#include <fcntl.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "os/syscall.hpp"

namespace cow::os {

namespace {

constexpr std::size_t kDefaultMaxMapCount = 65530;

// Calls `use(data, size)` with each piece of a /proc file. False if it cannot be read.
template <class Use>
bool read_pieces(const char* path, const Use& use) noexcept {
  constexpr int here = AT_FDCWD;
  // No call of libc's: those are cancellation points, and nothing of ours may be left half done.
  const long file = uninterrupted([&] {
    return raw_syscall(SYS_openat, static_cast<std::uintptr_t>(here), argument(path),
                       O_RDONLY | O_CLOEXEC);
  });
  if (file < 0) return false;
  const auto number = static_cast<std::uintptr_t>(file);
  std::array<char, 16384> piece{};
  long size = 0;
  const auto read = [&] {
    return raw_syscall(SYS_read, number, argument(piece.data()), piece.size());
  };
  while ((size = uninterrupted(read)) > 0) {
    use(piece.data(), static_cast<std::size_t>(size));
  }
  raw_syscall(SYS_close, number);
  return size == 0;
}

constexpr const char* kHugePageFolder = "/sys/kernel/mm/transparent_hugepage/";

/// The first `size` characters of a small file, or fewer.
template <std::size_t size>
std::string_view read_start(const char* path, std::array<char, size>& text) noexcept {
  std::size_t length = 0;
  read_pieces(path, [&](const char* data, std::size_t n) {
    const std::size_t room = std::min(n, size - length);
    std::copy_n(data, room, text.data() + length);
    length += room;
  });
  return {text.data(), length};
}

std::uint64_t leading_number(std::string_view text) noexcept {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// "MemAvailable: N kB" in /proc/meminfo: free memory and what the kernel could free at once.
// `otherwise` where it cannot be read.
std::uint64_t available_bytes(std::uint64_t otherwise) noexcept {
  constexpr std::string_view kName = "MemAvailable:";
  std::array<char, 1024> start{};  // it is the third line
  std::string_view text = read_start("/proc/meminfo", start);
  const std::size_t at = text.find(kName);
  if (at == std::string_view::npos) return otherwise;
  text.remove_prefix(text.find_first_not_of(' ', at + kName.size()));
  return leading_number(text) * 1024;
}

}  // namespace

std::uint64_t memory_bytes() noexcept {
  struct sysinfo info {};
  return ::sysinfo(&info) == 0 ? std::uint64_t{info.totalram} * info.mem_unit : 0;
}

bool is_memory_short() noexcept {
  struct sysinfo info {};
  if (::sysinfo(&info) != 0) return true;
  const std::uint64_t all = std::uint64_t{info.totalram} * info.mem_unit;
  const std::uint64_t free = std::uint64_t{info.freeram} * info.mem_unit;
  if (free > all / 8) return false;
  // A machine that has run for a while has its memory full of files that it can drop.
  return available_bytes(free) < all / 16;
}

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

HugePages allowed_huge_pages() noexcept {
  std::array<char, 256> path{};
  std::array<char, 128> text{};
  const auto read = [&](const char* format, std::size_t kilobytes) {
    std::snprintf(path.data(), path.size(), format, kHugePageFolder, kilobytes);
    return read_start(path.data(), text);
  };
  const std::uint64_t bytes = leading_number(read("%shpage_pmd_size", 0));
  if (bytes < page_bytes() || !std::has_single_bit(bytes)) return {};
  // The setting for this size, since Linux 6.11, unless it refers to the one for all sizes.
  std::string_view setting = read("%shugepages-%zukB/shmem_enabled", bytes / 1024);
  if (setting.empty() || setting.find("[inherit]") != std::string_view::npos) {
    setting = read("%sshmem_enabled", 0);
  }
  const auto is_set_to = [&](std::string_view word) {
    return setting.find(word) != std::string_view::npos;
  };
  if (is_set_to("[advise]")) return {bytes, true};
  const bool always = is_set_to("[always]") || is_set_to("[within_size]") || is_set_to("[force]");
  return always ? HugePages{bytes, false} : HugePages{};
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
