#include "measure/host/processor.hpp"

#include <sched.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "measure/host/facts.hpp"

namespace cow::measure {

namespace {

using nlohmann::ordered_json;

const std::string kCpus = "/sys/devices/system/cpu/";

bool exists(const char* path) {
  struct stat status {};
  return ::stat(path, &status) == 0;
}

void put(ordered_json& object, const char* name, const std::optional<std::string>& text) {
  if (text) object[name] = *text;
}

/// The kernel's names for who made an arm64 processor, and for the commonest of servers and boards.
std::string arm_name(const std::string& implementer, const std::string& part) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kArm = {
      {{"0xd03", "Cortex-A53"},
       {"0xd08", "Cortex-A72"},
       {"0xd0b", "Cortex-A76"},
       {"0xd0c", "Neoverse-N1"},
       {"0xd40", "Neoverse-V1"},
       {"0xd49", "Neoverse-N2"},
       {"0xd4f", "Neoverse-V2"},
       {"0xd8e", "Neoverse-N3"},
       {"0xd84", "Neoverse-V3"}}};
  if (implementer == "0x41") {
    const auto* const known = std::find_if(kArm.begin(), kArm.end(),
                                           [&](const auto& entry) { return entry.first == part; });
    return "ARM " + (known == kArm.end() ? "part " + part : std::string(known->second));
  }
  return "implementer " + implementer + ", part " + part;
}

#if defined(__x86_64__)
/// What the hypervisor calls itself: "KVMKVMKVM". Absent where there is none that says so.
std::optional<std::string> hypervisor() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned kHypervisorBit = 1U << 31U;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kHypervisorBit) == 0) return std::nullopt;
  __cpuid(0x40000000U, a, b, c, d);
  std::array<char, 13> name{};
  std::memcpy(name.data(), &b, 4);
  std::memcpy(name.data() + 4, &c, 4);
  std::memcpy(name.data() + 8, &d, 4);
  const std::string text(name.data());
  const bool is_text = std::all_of(text.begin(), text.end(), [](char byte) { return byte >= ' '; });
  return is_text && !text.empty() ? text : "unnamed";
}
#else
std::optional<std::string> hypervisor() { return first_line("/sys/hypervisor/type"); }
#endif

/// What says that there is a container around us: files that its makers leave in it.
std::optional<std::string> container() {
  if (exists("/.dockerenv")) return "docker";
  if (exists("/run/.containerenv")) return "podman";
  if (exists("/var/run/secrets/kubernetes.io")) return "kubernetes";
  return first_line("/run/systemd/container");
}

std::optional<std::string> boost() {
  if (const auto boost = number_in(kCpus + "cpufreq/boost")) return *boost != 0 ? "on" : "off";
  if (const auto none = number_in(kCpus + "intel_pstate/no_turbo"))
    return *none != 0 ? "off" : "on";
  return std::nullopt;
}

std::optional<std::uint64_t> mhz_now() {
  if (const auto khz = number_in(kCpus + "cpu0/cpufreq/scaling_cur_freq")) {
    return *khz / 1000;
  }
  const auto text = field("/proc/cpuinfo", "cpu MHz");
  return text ? leading_number(*text) : std::nullopt;
}

}  // namespace

std::optional<std::string> processor_name() {
  if (auto name = field("/proc/cpuinfo", "model name")) return name;
  const auto implementer = field("/proc/cpuinfo", "CPU implementer");
  const auto part = field("/proc/cpuinfo", "CPU part");
  if (implementer && part) return arm_name(*implementer, *part);
  return std::nullopt;
}

int online_cpus() { return static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)); }

std::optional<std::string> allowed_cpus() {
  if (auto list = field("/proc/self/status", "Cpus_allowed_list")) return list;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return std::nullopt;
  std::string list;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) list += (list.empty() ? "" : ",") + std::to_string(cpu);
  }
  return list;
}

ordered_json frequency() {
  ordered_json object = ordered_json::object();
  const std::string folder = kCpus + "cpu0/cpufreq/";
  put(object, "governor", first_line(folder + "scaling_governor"));
  put(object, "driver", first_line(folder + "scaling_driver"));
  for (const auto& [name, file] :
       {std::pair("min_mhz", "cpuinfo_min_freq"), std::pair("max_mhz", "cpuinfo_max_freq")}) {
    if (const auto khz = number_in(folder + file)) object[name] = *khz / 1000;
  }
  if (const auto mhz = mhz_now()) object["now_mhz"] = *mhz;
  put(object, "boost", boost());
  return object;
}

ordered_json mitigations() {
  ordered_json object = ordered_json::object();
  std::vector<std::string> names;
  std::error_code error;
  const std::string folder = kCpus + "vulnerabilities";
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (const auto text = first_line(std::string(folder).append("/").append(name)))
      object[name] = *text;
  }
  return object;
}

ordered_json virtualisation() {
  ordered_json object = ordered_json::object();
  const auto name = hypervisor();
#if defined(__x86_64__)
  object["machine"] = name.has_value();
#endif
  put(object, "hypervisor", name);
  put(object, "maker", first_line("/sys/class/dmi/id/sys_vendor"));
  put(object, "product", first_line("/sys/class/dmi/id/product_name"));
  put(object, "container", container());
  put(object, "emulated", emulated_kernel());
  return object;
}

std::optional<std::string> emulated_kernel() {
  // gVisor answers for a kernel, always under this date.
  utsname names{};
  if (::uname(&names) == 0 && std::strstr(names.version, "Sun Jan 10 15:06:54 PST 2016")) {
    return "gVisor";
  }
#if defined(__aarch64__)
  // qemu-user lets the host's list of processors through, in which there is none of ours.
  if (exists("/proc/cpuinfo") && !field("/proc/cpuinfo", "CPU implementer")) return "qemu-user";
#elif defined(__x86_64__)
  if (exists("/proc/cpuinfo") && !field("/proc/cpuinfo", "vendor_id")) return "qemu-user";
#endif
  return std::nullopt;
}

}  // namespace cow::measure
