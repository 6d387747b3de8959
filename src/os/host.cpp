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

#include "os/system_file.hpp"

namespace cow::os {

namespace {

constexpr std::size_t kDefaultMaxMapCount = 65530;

constexpr const char* kHugePageFolder = "/sys/kernel/mm/transparent_hugepage/";

std::uint64_t leading_number(std::string_view text) noexcept {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// "MemAvailable: N kB" in /proc/meminfo: free memory and what the kernel could free at once.
// `otherwise` where it cannot be read.
std::uint64_t available_bytes(std::uint64_t otherwise) noexcept {
  constexpr std::string_view kName = "MemAvailable:";
  const SystemFileStart<1024> start("/proc/meminfo");  // it is the third line
  std::string_view text = start.text();
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
  using Text = SystemFileStart<128>;
  const auto read = [&](const char* format, std::size_t kilobytes) {
    std::snprintf(path.data(), path.size(), format, kHugePageFolder, kilobytes);
    return Text(path.data());
  };
  const std::uint64_t bytes = leading_number(read("%shpage_pmd_size", 0).text());
  if (bytes < page_bytes() || !std::has_single_bit(bytes)) return {};
  // The setting for this size, since Linux 6.11, unless it refers to the one for all sizes.
  Text setting = read("%shugepages-%zukB/shmem_enabled", bytes / 1024);
  const auto is_set_to = [&](std::string_view word) {
    return setting.text().find(word) != std::string_view::npos;
  };
  if (setting.text().empty() || is_set_to("[inherit]")) setting = read("%sshmem_enabled", 0);
  if (is_set_to("[advise]")) return {bytes, true};
  const bool always = is_set_to("[always]") || is_set_to("[within_size]") || is_set_to("[force]");
  return always ? HugePages{bytes, false} : HugePages{};
}

std::size_t max_map_count() noexcept {
  const SystemFileStart<32> text("/proc/sys/vm/max_map_count");
  const std::size_t value = leading_number(text.text());
  return text.error() == 0 && value > 0 ? value : kDefaultMaxMapCount;
}

std::optional<std::size_t> count_mappings() noexcept {
  std::size_t lines = 0;
  const int error = read_system_file("/proc/self/maps", [&](const char* data, std::size_t n) {
    lines += static_cast<std::size_t>(std::count(data, data + n, '\n'));
  });
  if (error != 0) return std::nullopt;
  return lines;
}

std::uint64_t monotonic_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace cow::os
