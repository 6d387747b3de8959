// A seccomp filter for the calling thread: which system calls it may make from now on.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "support.hpp"

namespace support {

/// One argument of a system call, by its low 32 bits.
struct CallArgument {
  enum class Is { equal, above };
  unsigned index;
  Is is;
  std::uint32_t value;
  std::uint32_t ignored_bits = 0;
};

inline CallArgument is(unsigned index, std::uint32_t value, std::uint32_t ignored_bits = 0) {
  return {index, CallArgument::Is::equal, value, ignored_bits};
}
inline CallArgument is_above(unsigned index, std::uint32_t value) {
  return {index, CallArgument::Is::above, value};
}

/// Calls are judged by the first rule that fits them.
class CallFilter {
 public:
  CallFilter() {
    load(offsetof(seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0);
    answer(SECCOMP_RET_KILL_PROCESS);
  }

  CallFilter& allow(long number, std::initializer_list<CallArgument> arguments = {}) {
    return rule(number, arguments, SECCOMP_RET_ALLOW);
  }
  /// Not made; returns -1 with this errno. With 0 the call succeeds and does nothing.
  CallFilter& refuse(long number, std::initializer_list<CallArgument> arguments, unsigned error) {
    return rule(number, arguments, SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA));
  }
  /// Stops the thread until who listens lets it go on: see install_listening().
  CallFilter& stop_at(long number, std::initializer_list<CallArgument> arguments = {}) {
    return rule(number, arguments, SECCOMP_RET_USER_NOTIF);
  }

  /// All other calls end the process with SIGSYS. False where the kernel has no filters.
  [[nodiscard]] bool install_killing() { return install(SECCOMP_RET_KILL_PROCESS); }
  [[nodiscard]] bool install_allowing() { return install(SECCOMP_RET_ALLOW); }
  /// The same, and a descriptor to listen at; -1 where the kernel has none.
  [[nodiscard]] int install_listening() {
    answer(SECCOMP_RET_ALLOW);
    return seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER);
  }

 private:
#if defined(__x86_64__)
  static constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#else
  static constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#endif

  void add(unsigned code, std::uint32_t k, std::size_t if_true = 0, std::size_t if_false = 0) {
    program_.push_back({static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(if_true),
                        static_cast<std::uint8_t>(if_false), k});
  }
  void load(std::size_t offset) {
    add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  }
  void answer(std::uint32_t verdict) { add(BPF_RET | BPF_K, verdict); }

  CallFilter& rule(long number, std::initializer_list<CallArgument> arguments,
                   std::uint32_t verdict) {
    std::size_t left = 3 * arguments.size() + 1;  // instructions up to the next rule
    load(offsetof(seccomp_data, nr));
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, left);
    for (const CallArgument& argument : arguments) {
      left -= 3;
      const unsigned test = argument.is == CallArgument::Is::equal ? BPF_JEQ : BPF_JGT;
      load(offsetof(seccomp_data, args) + argument.index * sizeof(std::uint64_t));
      add(BPF_ALU | BPF_AND | BPF_K, ~argument.ignored_bits);
      add(BPF_JMP | test | BPF_K, argument.value, 0, left);
    }
    answer(verdict);
    return *this;
  }

  bool install(std::uint32_t otherwise) {
    answer(otherwise);
    return seccomp(0) == 0;
  }
  int seccomp(unsigned flags) {
    const sock_fprog program{static_cast<unsigned short>(program_.size()), program_.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
  }

  std::vector<sock_filter> program_;
};

/// Whether this process may have filters: not every kernel, container or emulator allows it.
inline bool has_call_filters() {
  static const ChildResult result = run_in_child(
      []() -> std::string { return CallFilter().install_allowing() ? "" : "refused"; });
  return result.exited() && result.complaint.empty();
}

}  // namespace support
