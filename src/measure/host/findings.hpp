#pragma once

// What this kernel, container and process allow, as `cow doctor` found by trying it: facts without
// judgement. What could not be found is absent.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "measure/host/cgroup.hpp"

namespace cow::measure {

using Number = std::optional<std::uint64_t>;
using Text = std::optional<std::string>;

/// How something that was tried ended, in a child, as it may have been the end of that.
struct Trial {
  bool was_tried = false;
  bool worked = false;
  int error = 0;     ///< errno it was refused with
  int signal = 0;    ///< that ended the child: SIGSYS where a filter of system calls kills
  std::string said;  ///< an exception's sentence, or what it printed before it ended
};

/// Who goes without if a call is refused.
enum class NeededBy {
  regions,    ///< every region
  handler,    ///< Mechanism::handler, in the fault or to be told of it
  kernel,     ///< Mechanism::kernel alone
  some_uses,  ///< what Call::purpose says; regions go without
};

struct Call {
  std::string name;     ///< "memfd_create", "ioctl(PAGEMAP_SCAN)"
  std::string purpose;  ///< "the file that holds the bytes of a family"
  NeededBy needed_by = NeededBy::regions;
  Trial trial;
};

/// A region made, stored to, snapshotted, restored and cloned, and its bytes compared.
struct RegionTrial {
  Trial trial;
  std::string mechanism;  ///< RegionStats::mechanism: "handler" or "kernel"
};

struct Regions {
  RegionTrial handler;
  RegionTrial kernel;
  RegionTrial automatic;
  std::uint64_t large_bytes = 0;  ///< the size of `large`
  Trial large;                    ///< a region of that size made, and not stored to
  Text asked;                     ///< COW_MECHANISM in the environment
};

struct MemoryFacts {
  Number max_map_count, mappings_used;
  Number memory_bytes, available_bytes;
  Number overcommit_memory, overcommit_ratio, commit_limit_bytes, committed_bytes;
  Number address_space_bytes, data_bytes, locked_bytes, file_bytes;  ///< limits; absent: none
  Number descriptors, descriptors_used;                              ///< a limit, and how many
  std::vector<CgroupLimit> cgroup;
  Text shmem_huge_pages;  ///< what shmem_enabled says
  Trial huge_pages;       ///< shared memory that asked for huge pages was mapped by one
  Number memfd_noexec;    ///< vm.memfd_noexec
  bool has_proc = false;
  bool has_dev_shm = false;
};

struct UserfaultFacts {
  Number unprivileged;       ///< vm.unprivileged_userfaultfd
  bool has_device = false;   ///< /dev/userfaultfd can be opened
  Trial of_user_mode;        ///< userfaultfd(UFFD_USER_MODE_ONLY), as libcow asks for it
  Trial of_all_faults;       ///< the same for the kernel's own faults, too
  Number features;           ///< what UFFDIO_API names, as bits
  Trial asynchronous_write;  ///< UFFDIO_API with what Mechanism::kernel asks for
};

/// The features of userfaultfd that are of interest, as bits.
inline constexpr std::uint64_t kUserfaultWriteProtect = std::uint64_t{1} << 0;
inline constexpr std::uint64_t kUserfaultSigbus = std::uint64_t{1} << 7;
inline constexpr std::uint64_t kUserfaultWriteProtectFiles = std::uint64_t{1} << 12;
inline constexpr std::uint64_t kUserfaultAsynchronous = std::uint64_t{1} << 15;

/// What happens on a signal, before libcow has changed it.
struct SignalAction {
  std::string signal;  ///< "SIGSEGV"
  bool is_default = true;
  bool is_ignored = false;
  bool takes_alternate_stack = false;
  std::string object;  ///< the file that the handler lies in; empty if it cannot be told
  std::string symbol;  ///< its name there; empty if it has none
};

struct SignalFacts {
  std::vector<SignalAction> actions;
  bool is_segv_blocked = false;
  std::uint64_t least_stack_bytes = 0;  ///< AT_MINSIGSTKSZ, or else what libc says
  std::uint64_t usual_stack_bytes = 0;  ///< SIGSTKSZ, as glibc gives it
  Number alternate_stack_bytes;         ///< of this thread
};

struct RuleFacts {
  Number seccomp_mode, seccomp_filters;  ///< 2: filters of system calls
  Number no_new_privileges;
  Number ptrace_scope, perf_event_paranoid;
  Trial perf_events;  ///< page faults counted by perf_event_open
  Text core_pattern;
  Number core_bytes;  ///< RLIMIT_CORE; absent: no limit
  Number core_filter;
  bool is_dumpable = true;
  std::uint64_t user = 0;  ///< the effective one
  Text emulated;           ///< "qemu-user", "gVisor"
  Text container;
};

struct Findings {
  bool has_children = true;  ///< false: fork() is refused, and all was tried in this process
  Trial fork;
  Regions regions;
  std::vector<Call> calls;
  MemoryFacts memory;
  UserfaultFacts userfault;
  SignalFacts signals;
  RuleFacts rules;
  std::vector<std::string> unknown;  ///< groups of facts whose child ended before it had told them
};

}  // namespace cow::measure
