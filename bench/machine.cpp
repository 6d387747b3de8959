#include "machine.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <fstream>
#include <string_view>

namespace cow_bench {

namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line.empty() ? "unknown" : line;
}

/// The value after the colon of the first line that begins with `key`.
std::string field(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (line.starts_with(key) && colon != std::string::npos) {
      const std::size_t value = line.find_first_not_of(" \t", colon + 1);
      return value == std::string::npos ? std::string{} : line.substr(value);
    }
  }
  return {};
}

std::size_t kib_field(const char* path, std::string_view key) {
  const std::string value = field(path, key);
  return !value.empty() && std::isdigit(static_cast<unsigned char>(value[0])) != 0
             ? std::stoull(value) << 10U
             : 0;
}

/// "always [madvise] never" -> "madvise".
std::string chosen(const char* path) {
  const std::string line = first_line(path);
  const std::size_t open = line.find('[');
  const std::size_t close = line.find(']');
  return open < close && close != std::string::npos ? line.substr(open + 1, close - open - 1)
                                                    : line;
}

std::string processor() {
  std::string name = field("/proc/cpuinfo", "model name");
  if (name.empty()) {
    name = "unknown";  // arm64 gives no name
  }
  const bool virtual_machine =
      field("/proc/cpuinfo", "flags").find("hypervisor") != std::string::npos;
  return name + ", " + std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) + " cores" +
         (virtual_machine ? ", virtual machine" : "");
}

std::string kernel() {
  utsname names{};
  return ::uname(&names) == 0
             ? std::string(names.sysname) + " " + names.release + " " + names.machine
             : "unknown";
}

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#else
  return "GCC " __VERSION__;
#endif
}

}  // namespace

std::size_t host_page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t available_bytes() { return kib_field("/proc/meminfo", "MemAvailable"); }

std::vector<std::pair<std::string, std::string>> describe_machine() {
  const auto memory_gib = static_cast<double>(kib_field("/proc/meminfo", "MemTotal")) / (1U << 30U);
  const std::string thp = "/sys/kernel/mm/transparent_hugepage/";
  return {
      {"processor", processor()},
      {"memory", fmt::format("{:.1f} GiB", memory_gib)},
      {"kernel", kernel()},
      {"page", std::to_string(host_page_bytes()) + " bytes"},
      {"clock source",
       first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource")},
      {"huge pages", "anonymous: " + chosen((thp + "enabled").c_str()) +
                         ", shmem: " + chosen((thp + "shmem_enabled").c_str())},
      {"vm.max_map_count", first_line("/proc/sys/vm/max_map_count")},
      {"compiler", compiler()},
      {"load average before", first_line("/proc/loadavg")},
  };
}

}  // namespace cow_bench
