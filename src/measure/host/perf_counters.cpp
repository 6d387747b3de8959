#include "measure/host/perf_counters.hpp"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace cow::measure {

namespace {

enum class Mode : std::uint8_t { both, user, kernel };

constexpr std::uint64_t cache_event(std::uint64_t cache, std::uint64_t operation) {
  return cache | operation << 8U | std::uint64_t{PERF_COUNT_HW_CACHE_RESULT_MISS} << 16U;
}

/// PERF_TYPE_TRACEPOINT, whose number is in a file.
constexpr std::string_view tlb_flush = "tlb/tlb_flush";

struct Id {
  std::optional<std::uint64_t> number;
  std::string reason;
};

Id tracepoint_id(std::string_view name) {
  constexpr std::array<std::string_view, 2> folders = {"/sys/kernel/tracing/events",
                                                       "/sys/kernel/debug/tracing/events"};
  for (const std::string_view folder : folders) {
    std::ifstream file(fmt::format("{}/{}/id", folder, name));
    std::uint64_t number = 0;
    if (file >> number) return {.number = number, .reason = {}};
  }
  return {.number = std::nullopt,
          .reason = fmt::format("{}/{}/id cannot be read: that takes root, a mounted tracefs and a "
                                "kernel that has this tracepoint.",
                                folders.front(), name)};
}

std::string paranoia() {
  std::ifstream file("/proc/sys/kernel/perf_event_paranoid");
  std::string value;
  file >> value;
  return value.empty() ? "unknown" : value;
}

std::string why_refused(int error) {
  switch (error) {
    case EACCES:
      return fmt::format(
          "kernel.perf_event_paranoid is {}: run as root, or set it lower with sysctl.",
          paranoia());
    case EPERM: return "perf_event_open is forbidden here, as containers do with a seccomp filter.";
    case ENOSYS: return "This kernel, or what emulates it, has no perf_event_open.";
    case ENOENT:
    case ENODEV:
    case EOPNOTSUPP:
      return "The processor, or the virtual machine around this kernel, does not count this.";
    default: return fmt::format("perf_event_open: {}.", std::generic_category().message(error));
  }
}

int perf_event_open(perf_event_attr& attributes, int leader) {
  return static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, leader,
                                    std::uint64_t{PERF_FLAG_FD_CLOEXEC}));
}

}  // namespace

struct PerfCounters::Event {
  std::string_view name;
  std::uint32_t type;
  std::uint64_t config;
  Mode mode = Mode::both;
  std::string_view tracepoint{};
  const char* filter = nullptr;  ///< of the tracepoint's fields
  /// What happens in user mode is worth counting where the kernel is not to be looked into.
  bool is_of_user_mode_too = false;
};

// The reasons of tlb_flush are fixed: 4 is an interrupt that is sent to other processors.
const PerfCounters::Event PerfCounters::events[] = {
    {.name = "page faults",
     .type = PERF_TYPE_SOFTWARE,
     .config = PERF_COUNT_SW_PAGE_FAULTS,
     .is_of_user_mode_too = true},
    {.name = "minor faults",
     .type = PERF_TYPE_SOFTWARE,
     .config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
     .is_of_user_mode_too = true},
    {.name = "context switches",
     .type = PERF_TYPE_SOFTWARE,
     .config = PERF_COUNT_SW_CONTEXT_SWITCHES},
    {.name = "TLB flushes",
     .type = PERF_TYPE_TRACEPOINT,
     .config = 0,
     .tracepoint = tlb_flush,
     .filter = "reason != 4"},
    {.name = "TLB shootdowns",
     .type = PERF_TYPE_TRACEPOINT,
     .config = 0,
     .tracepoint = tlb_flush,
     .filter = "reason == 4"},
    {.name = "dTLB misses of stores",
     .type = PERF_TYPE_HW_CACHE,
     .config = cache_event(PERF_COUNT_HW_CACHE_DTLB, PERF_COUNT_HW_CACHE_OP_WRITE)},
    {.name = "instructions, user mode",
     .type = PERF_TYPE_HARDWARE,
     .config = PERF_COUNT_HW_INSTRUCTIONS,
     .mode = Mode::user},
    {.name = "instructions, kernel mode",
     .type = PERF_TYPE_HARDWARE,
     .config = PERF_COUNT_HW_INSTRUCTIONS,
     .mode = Mode::kernel},
    {.name = "cycles, user mode",
     .type = PERF_TYPE_HARDWARE,
     .config = PERF_COUNT_HW_CPU_CYCLES,
     .mode = Mode::user},
    {.name = "cycles, kernel mode",
     .type = PERF_TYPE_HARDWARE,
     .config = PERF_COUNT_HW_CPU_CYCLES,
     .mode = Mode::kernel},
};

PerfCounters::PerfCounters() {
  for (const Event& event : events) open(event);
}

PerfCounters::~PerfCounters() {
  for (const Group* group : {&kernel_, &processor_}) {
    for (const int descriptor : group->descriptors) ::close(descriptor);
  }
}

void PerfCounters::open(const Event& event) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = event.type;
  attributes.config = event.config;
  if (!event.tracepoint.empty()) {
    const Id id = tracepoint_id(event.tracepoint);
    if (!id.number) {
      missing_.push_back({std::string(event.name), id.reason});
      return;
    }
    attributes.config = *id.number;
  }
  const bool is_of_processor = event.type == PERF_TYPE_HARDWARE || event.type == PERF_TYPE_HW_CACHE;
  Group& group = is_of_processor ? processor_ : kernel_;
  attributes.disabled = group.descriptors.empty() ? 1 : 0;
  attributes.exclude_hv = 1;
  attributes.exclude_kernel = event.mode == Mode::user ? 1 : 0;
  attributes.exclude_user = event.mode == Mode::kernel ? 1 : 0;
  attributes.read_format =
      PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  const int leader = group.descriptors.empty() ? -1 : group.descriptors.front();
  std::string name(event.name);
  int descriptor = perf_event_open(attributes, leader);
  if (descriptor < 0 && errno == EACCES && event.is_of_user_mode_too) {
    attributes.exclude_kernel = 1;
    name += ", user mode";
    descriptor = perf_event_open(attributes, leader);
  }
  if (descriptor >= 0 && event.filter != nullptr &&
      ::ioctl(descriptor, PERF_EVENT_IOC_SET_FILTER, event.filter) != 0) {
    const int error = errno;
    ::close(descriptor);
    descriptor = -1;
    errno = error;
  }
  if (descriptor < 0) {
    missing_.push_back({std::string(event.name), why_refused(errno)});
    return;
  }
  group.names.push_back(std::move(name));
  group.descriptors.push_back(descriptor);
}

void PerfCounters::start() {
  for (const Group* group : {&kernel_, &processor_}) {
    if (group->descriptors.empty()) continue;
    ::ioctl(group->descriptors.front(), PERF_EVENT_IOC_RESET, PERF_IOC_FLAG_GROUP);
  }
  for (const Group* group : {&kernel_, &processor_}) {
    if (!group->descriptors.empty()) {
      ::ioctl(group->descriptors.front(), PERF_EVENT_IOC_ENABLE, 0);
    }
  }
}

std::vector<std::pair<std::string, double>> PerfCounters::stop() {
  for (const Group* group : {&processor_, &kernel_}) {
    if (!group->descriptors.empty()) {
      ::ioctl(group->descriptors.front(), PERF_EVENT_IOC_DISABLE, 0);
    }
  }
  std::vector<std::pair<std::string, double>> counts;
  for (Group* group : {&kernel_, &processor_}) {
    if (read(*group, counts)) continue;
    for (std::string& name : group->names) {
      missing_.push_back({std::move(name), "The processor's counters were in use by others."});
    }
    for (const int descriptor : group->descriptors) ::close(descriptor);
    *group = {};
  }
  return counts;
}

bool PerfCounters::read(const Group& group, std::vector<std::pair<std::string, double>>& into) {
  if (group.descriptors.empty()) return true;
  // How many there are, for how long they were to count and did, and the counts.
  std::vector<std::uint64_t> words(3 + group.descriptors.size());
  const std::size_t bytes = words.size() * sizeof words[0];
  const ssize_t got = ::read(group.descriptors.front(), words.data(), bytes);
  if (got != static_cast<ssize_t>(bytes) || words[1] != words[2]) return false;
  for (std::size_t i = 0; i < group.names.size(); ++i) {
    into.emplace_back(group.names[i], static_cast<double>(words[3 + i]));
  }
  return true;
}

std::uint64_t minor_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return static_cast<std::uint64_t>(usage.ru_minflt);
}

}  // namespace cow::measure
