#include "measure/host/environment.hpp"

#include <sys/personality.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include "measure/host/build.hpp"
#include "measure/host/cgroup.hpp"
#include "measure/host/facts.hpp"
#include "measure/host/processor.hpp"

namespace cow::measure {

namespace {

using nlohmann::ordered_json;

template <typename T>
void put(ordered_json& object, const char* name, const std::optional<T>& value) {
  if (value) object[name] = *value;
}

void put_object(ordered_json& object, const char* name, ordered_json value) {
  if (!value.empty()) object[name] = std::move(value);
}

void put_kernel(ordered_json& object) {
  utsname names{};
  if (::uname(&names) != 0) return;
  object["kernel"] = std::string(names.sysname) + " " + names.release + " " + names.version;
  object["architecture"] = names.machine;
}

void put_processor(ordered_json& object) {
  put(object, "processor", processor_name());
  object["cores"] = online_cpus();
  put(object, "allowed_cpus", allowed_cpus());
  put(object, "smt", first_line("/sys/devices/system/cpu/smt/control"));
  put_object(object, "frequency", frequency());
  put_object(object, "virtual", virtualisation());
  put_object(object, "mitigations", mitigations());
  put(object, "clock_source",
      first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
}

ordered_json huge_pages() {
  ordered_json object = ordered_json::object();
  const std::string folder = "/sys/kernel/mm/transparent_hugepage/";
  put(object, "anonymous", chosen_in(folder + "enabled"));
  put(object, "shmem", chosen_in(folder + "shmem_enabled"));
  put(object, "defrag", chosen_in(folder + "defrag"));
  put(object, "bytes", number_in(folder + "hpage_pmd_size"));
  return object;
}

void put_memory(ordered_json& object) {
  object["page_bytes"] = host_page_bytes();
  put(object, "memory_bytes", bytes_field("/proc/meminfo", "MemTotal"));
  put(object, "available_bytes", bytes_field("/proc/meminfo", "MemAvailable"));
  put(object, "swap_bytes", bytes_field("/proc/meminfo", "SwapTotal"));
  put_object(object, "huge_pages", huge_pages());
  put(object, "max_map_count", number_in("/proc/sys/vm/max_map_count"));
  put(object, "overcommit_memory", number_in("/proc/sys/vm/overcommit_memory"));
  put(object, "overcommit_ratio", number_in("/proc/sys/vm/overcommit_ratio"));
  ordered_json limits = ordered_json::object();
  for (const CgroupLimit& limit : cgroup_limits()) limits[limit.name] = limit.value;
  put_object(object, "cgroup", std::move(limits));
}

void put_process(ordered_json& object) {
  put(object, "randomize_va_space", number_in("/proc/sys/kernel/randomize_va_space"));
  constexpr unsigned long kOnlyAsk = 0xffffffff;
  if (const int flags = ::personality(kOnlyAsk); flags != -1) {
    object["aslr"] = (static_cast<unsigned>(flags) & ADDR_NO_RANDOMIZE) == 0;
  }
  if (const char* const asked = std::getenv("COW_MECHANISM"); asked != nullptr && *asked != '\0') {
    object["cow_mechanism"] = asked;
  }
}

ordered_json load() {
  std::array<double, 3> averages{};
  const int count = ::getloadavg(averages.data(), static_cast<int>(averages.size()));
  ordered_json list = ordered_json::array();
  for (int i = 0; i < count; ++i) list.push_back(averages[static_cast<std::size_t>(i)]);
  return list;
}

/// "2026-11-29T15:00:00+00:00", as Google Benchmark writes it: the time here.
std::string date() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::localtime_r(&now, &parts);
  std::array<char, 40> text{};
  std::string date(text.data(),
                   std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S%z", &parts));
  if (date.size() > 5) date.insert(date.size() - 2, 1, ':');
  return date;
}

}  // namespace

ordered_json environment() {
  ordered_json object = ordered_json::object();
  put_kernel(object);
  put_processor(object);
  put_memory(object);
  put_process(object);
  object["build"] = build();
  put_object(object, "load", load());
  return object;
}

ordered_json google_context() {
  ordered_json object = ordered_json::object();
  object["date"] = date();
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) object["host_name"] = name.data();
  object["num_cpus"] = online_cpus();
  const ordered_json rates = frequency();
  if (rates.contains("now_mhz")) {
    object["mhz_per_cpu"] = rates["now_mhz"];
  }
  if (rates.contains("governor")) {
    object["cpu_scaling_enabled"] = rates["governor"] != "performance";
  }
  object["load_avg"] = load();
  object["library_build_type"] = is_release_build() ? "release" : "debug";
  return object;
}

}  // namespace cow::measure
