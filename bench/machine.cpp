#include "machine.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "measure/host/environment.hpp"
#include "measure/host/facts.hpp"

namespace cow_bench {

namespace {

using nlohmann::ordered_json;

/// What is at the place that names lead to, as text; "unknown" where that could not be read.
std::string text_at(const ordered_json& environment, const char* pointer) {
  const ordered_json::json_pointer place(pointer);
  if (!environment.contains(place)) return "unknown";
  const ordered_json& value = environment.at(place);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string processor(const ordered_json& environment) {
  const bool is_virtual =
      environment.contains("virtual") && environment["virtual"].value("machine", false);
  return fmt::format("{}, {} cores{}", text_at(environment, "/processor"),
                     text_at(environment, "/cores"), is_virtual ? ", virtual machine" : "");
}

std::string memory(const ordered_json& environment) {
  if (!environment.contains("memory_bytes")) return "unknown";
  return fmt::format("{:.1f} GiB", environment["memory_bytes"].get<double>() / (1U << 30U));
}

/// Without the date of its build.
std::string kernel(const ordered_json& environment) {
  const std::string name = text_at(environment, "/kernel");
  return name.substr(0, name.find(" #")) + " " + text_at(environment, "/architecture");
}

std::string load(const ordered_json& environment) {
  if (!environment.contains("load")) return "unknown";
  std::string averages;
  for (const ordered_json& average : environment["load"]) {
    averages += fmt::format("{}{:.2f}", averages.empty() ? "" : " ", average.get<double>());
  }
  return averages;
}

}  // namespace

std::size_t host_page_bytes() { return cow::measure::host_page_bytes(); }

std::size_t available_bytes() {
  return cow::measure::bytes_field("/proc/meminfo", "MemAvailable").value_or(0);
}

std::vector<std::pair<std::string, std::string>> describe_machine() {
  const ordered_json environment = cow::measure::environment();
  const auto text = [&](const char* pointer) { return text_at(environment, pointer); };
  return {
      {"processor", processor(environment)},
      {"memory", memory(environment)},
      {"kernel", kernel(environment)},
      {"page", text("/page_bytes") + " bytes"},
      {"clock source", text("/clock_source")},
      {"huge pages",
       "anonymous: " + text("/huge_pages/anonymous") + ", shmem: " + text("/huge_pages/shmem")},
      {"vm.max_map_count", text("/max_map_count")},
      {"compiler", text("/build/compiler")},
      {"load average before", load(environment)},
  };
}

}  // namespace cow_bench
