// What can be read of limits, signals and rules.

#include <dlfcn.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "measure/host/facts.hpp"
#include "measure/host/probes.hpp"
#include "measure/host/processor.hpp"

namespace cow::measure {

namespace {

Number limit(__rlimit_resource_t resource) {
  rlimit found{};
  if (::getrlimit(resource, &found) != 0 || found.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return found.rlim_cur;
}

bool exists(const char* path) {
  struct stat status {};
  return ::stat(path, &status) == 0;
}

Number entries_of(const char* folder) {
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    ++count;
  }
  return error ? std::nullopt : Number(count);
}

Number status_number(const char* key) {
  const Text text = field("/proc/self/status", key);
  return text ? leading_number(*text) : std::nullopt;
}

/// The file of the mapping that holds an address, where the loader knows none.
std::string file_at(std::uintptr_t address) {
  for (const std::string& line : lines_of("/proc/self/maps")) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    const char* const last = line.data() + line.size();
    const auto [dash, error] = std::from_chars(line.data(), last, begin, 16);
    if (error != std::errc{} || dash == last) continue;
    if (std::from_chars(dash + 1, last, end, 16).ec != std::errc{}) continue;
    if (address < begin || address >= end) continue;
    const std::size_t path = line.find('/');
    return path == std::string::npos ? "memory without a file" : line.substr(path);
  }
  return {};
}

std::optional<SignalAction> action_of(int signal, const char* name) {
  SignalAction found;
  found.signal = name;
  struct sigaction action {};
  if (::sigaction(signal, nullptr, &action) != 0) return std::nullopt;
  found.is_ignored = (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
  found.is_default = (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
  found.takes_alternate_stack = (action.sa_flags & SA_ONSTACK) != 0;
  if (found.is_default || found.is_ignored) return found;
  const auto address = reinterpret_cast<std::uintptr_t>(action.sa_sigaction);
  Dl_info object{};
  if (::dladdr(reinterpret_cast<const void*>(address), &object) != 0) {
    if (object.dli_fname != nullptr) found.object = object.dli_fname;
    if (object.dli_sname != nullptr) found.symbol = object.dli_sname;
  }
  // For the program itself the loader has the word it was started by.
  if (const std::string file = file_at(address); !file.empty()) found.object = file;
  return found;
}

int count_page_faults() {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof attributes;
  attributes.config = PERF_COUNT_SW_PAGE_FAULTS;
  attributes.disabled = 1;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  return ::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC) < 0 ? errno
                                                                                          : 0;
}

}  // namespace

MemoryFacts memory_facts() {
  MemoryFacts facts;
  const std::string vm = "/proc/sys/vm/";
  facts.has_proc = exists("/proc/self/maps");
  facts.has_dev_shm = exists("/dev/shm");
  facts.max_map_count = number_in(vm + "max_map_count");
  if (facts.has_proc) facts.mappings_used = lines_of("/proc/self/maps").size();
  facts.memory_bytes = bytes_field("/proc/meminfo", "MemTotal");
  facts.available_bytes = bytes_field("/proc/meminfo", "MemAvailable");
  facts.overcommit_memory = number_in(vm + "overcommit_memory");
  facts.overcommit_ratio = number_in(vm + "overcommit_ratio");
  facts.commit_limit_bytes = bytes_field("/proc/meminfo", "CommitLimit");
  facts.committed_bytes = bytes_field("/proc/meminfo", "Committed_AS");
  facts.address_space_bytes = limit(RLIMIT_AS);
  facts.data_bytes = limit(RLIMIT_DATA);
  facts.locked_bytes = limit(RLIMIT_MEMLOCK);
  facts.file_bytes = limit(RLIMIT_FSIZE);
  facts.descriptors = limit(RLIMIT_NOFILE);
  facts.descriptors_used = entries_of("/proc/self/fd");
  facts.cgroup = cgroup_limits();
  facts.shmem_huge_pages = chosen_in("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
  facts.memfd_noexec = number_in(vm + "memfd_noexec");
  return facts;
}

SignalFacts signal_facts() {
  SignalFacts facts;
  for (const auto& [signal, name] : {std::pair(SIGSEGV, "SIGSEGV"), std::pair(SIGBUS, "SIGBUS")}) {
    if (const auto action = action_of(signal, name)) facts.actions.push_back(*action);
  }
  sigset_t mask;
  sigemptyset(&mask);
  if (::pthread_sigmask(SIG_BLOCK, nullptr, &mask) == 0) {
    facts.is_segv_blocked = sigismember(&mask, SIGSEGV) == 1;
  }
  constexpr unsigned long kLeastStack = 51;  // AT_MINSIGSTKSZ
  const std::uint64_t least = ::getauxval(kLeastStack);
  facts.least_stack_bytes =
      least != 0 ? least : static_cast<std::uint64_t>(::sysconf(_SC_MINSIGSTKSZ));
  facts.usual_stack_bytes = static_cast<std::uint64_t>(SIGSTKSZ);
  stack_t stack{};
  if (::sigaltstack(nullptr, &stack) == 0 && (stack.ss_flags & SS_DISABLE) == 0) {
    facts.alternate_stack_bytes = stack.ss_size;
  }
  return facts;
}

RuleFacts rule_facts() {
  RuleFacts facts;
  facts.seccomp_mode = status_number("Seccomp");
  facts.seccomp_filters = status_number("Seccomp_filters");
  facts.no_new_privileges = status_number("NoNewPrivs");
  if (!facts.seccomp_mode) {
    const int mode = ::prctl(PR_GET_SECCOMP);
    if (mode >= 0) facts.seccomp_mode = static_cast<std::uint64_t>(mode);
  }
  facts.ptrace_scope = number_in("/proc/sys/kernel/yama/ptrace_scope");
  facts.perf_event_paranoid = number_in("/proc/sys/kernel/perf_event_paranoid");
  facts.perf_events = try_in_child(count_page_faults);
  facts.core_pattern = first_line("/proc/sys/kernel/core_pattern");
  facts.core_bytes = limit(RLIMIT_CORE);
  if (const Text filter = first_line("/proc/self/coredump_filter")) {
    std::uint64_t bits = 0;
    if (std::from_chars(filter->data(), filter->data() + filter->size(), bits, 16).ec ==
        std::errc{}) {
      facts.core_filter = bits;
    }
  }
  facts.is_dumpable = ::prctl(PR_GET_DUMPABLE) == 1;
  facts.user = ::geteuid();
  facts.emulated = emulated_kernel();
  const nlohmann::ordered_json around = virtualisation();
  if (around.contains("container")) facts.container = around["container"].get<std::string>();
  return facts;
}

}  // namespace cow::measure
