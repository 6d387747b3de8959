// The tracer: stops a child at each system call of a window and refuses those the plan names.
#include "injection.hpp"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <iterator>
#include <string>

#include "support.hpp"

namespace injection::detail {

namespace {

/// A system call that nobody makes otherwise tells the tracer of the end of a window.
constexpr long kEndCall = SYS_getpriority;
constexpr unsigned long kEndArgument = 0x636f7700656e64;

// ---- Registers ----------------------------------------------------------------------------------

/// The registers of a child that is stopped at the entry of a system call, or at its exit.
class Registers {
 public:
  explicit Registers(pid_t pid) : pid_(pid) { transfer(PTRACE_GETREGSET); }
  void write() { transfer(PTRACE_SETREGSET); }

#if defined(__x86_64__)
  [[nodiscard]] long number() const { return static_cast<long>(registers_.orig_rax); }
  void set_number(long number) { registers_.orig_rax = static_cast<std::uint64_t>(number); }
  unsigned long long& argument(unsigned i) {
    const std::array<unsigned long long*, 4> all{&registers_.rdi, &registers_.rsi, &registers_.rdx,
                                                 &registers_.r10};
    return *all[i];
  }
  void set_result(long result) { registers_.rax = static_cast<std::uint64_t>(result); }
  [[nodiscard]] std::uintptr_t program_counter() const { return registers_.rip; }
  static constexpr unsigned kFirstKept = 0;  ///< arguments from here on survive the call

 private:
  void transfer(__ptrace_request request) {
    iovec place{&registers_, sizeof(registers_)};
    ::ptrace(request, pid_, NT_PRSTATUS, &place);
  }
  user_regs_struct registers_{};
#elif defined(__aarch64__)
  [[nodiscard]] long number() const { return static_cast<long>(registers_.regs[8]); }
  void set_number(long number) {
    int word = static_cast<int>(number);
    iovec place{&word, sizeof(word)};
    ::ptrace(PTRACE_SETREGSET, pid_, NT_ARM_SYSTEM_CALL, &place);
  }
  unsigned long long& argument(unsigned i) { return registers_.regs[i]; }
  void set_result(long result) { registers_.regs[0] = static_cast<std::uint64_t>(result); }
  [[nodiscard]] std::uintptr_t program_counter() const { return registers_.pc; }
  static constexpr unsigned kFirstKept = 1;  ///< the first one's register takes the result

 private:
  void transfer(__ptrace_request request) {
    iovec place{&registers_, sizeof(registers_)};
    ::ptrace(request, pid_, NT_PRSTATUS, &place);
  }
  user_regs_struct registers_{};
#endif
  pid_t pid_;
};

// ---- Which calls can fail, and how --------------------------------------------------------------

struct Call {
  long number;
  const char* name;
  int error;  ///< 0: it cannot fail, or nobody could do anything about it
};

constexpr Call kCalls[] = {
    {SYS_mmap, "mmap", ENOMEM},
    {SYS_mprotect, "mprotect", ENOMEM},
    {SYS_mremap, "mremap", ENOMEM},
    {SYS_madvise, "madvise", ENOMEM},
    {SYS_brk, "brk", ENOMEM},
    {SYS_memfd_create, "memfd_create", EMFILE},
    {SYS_openat, "openat", EMFILE},
    {SYS_ftruncate, "ftruncate", ENOSPC},
    {SYS_fallocate, "fallocate", ENOSPC},
    {SYS_pwrite64, "pwrite", ENOSPC},
    {SYS_pwritev, "pwritev", ENOSPC},
    {SYS_pread64, "pread", EIO},
    {SYS_read, "read", EIO},
    {SYS_lseek, "lseek", EIO},
    {SYS_fcntl, "fcntl", EBUSY},
    {SYS_fstat, "fstat", EIO},
    {SYS_newfstatat, "fstat", EIO},
    {SYS_rt_sigaction, "rt_sigaction", EINVAL},
    {SYS_prlimit64, "prlimit", EPERM},
    {SYS_ppoll, "ppoll", ENOMEM},
    {SYS_clone, "clone", EAGAIN},
#if defined(SYS_poll)
    {SYS_poll, "poll", ENOMEM},
#endif
    // UndefinedBehaviorSanitizer's: it writes an object to a pipe to see whether it can be read.
    {SYS_pipe2, "pipe2", 0},
#if defined(SYS_pipe)
    {SYS_pipe, "pipe", 0},
#endif
    {SYS_fsync, "fsync", EIO},
    {SYS_fchown, "fchown", EPERM},
    {SYS_fchmod, "fchmod", EIO},
#if defined(SYS_unlink)
    {SYS_unlink, "unlink", 0},
#endif
    {SYS_unlinkat, "unlink", 0},
    {SYS_munmap, "munmap", 0},
    {SYS_close, "close", 0},
    {SYS_msync, "msync", 0},
    {SYS_mincore, "mincore", 0},
    {SYS_futex, "futex", 0},
    {SYS_write, "write", 0},
    {SYS_rt_sigprocmask, "rt_sigprocmask", 0},
    {SYS_rt_sigpending, "rt_sigpending", 0},
    {SYS_rt_sigreturn, "rt_sigreturn", 0},
    {SYS_rt_tgsigqueueinfo, "rt_tgsigqueueinfo", 0},
    {SYS_tgkill, "tgkill", 0},
    {SYS_getpid, "getpid", 0},
    {SYS_gettid, "gettid", 0},
    {SYS_sched_yield, "sched_yield", 0},
    {SYS_set_robust_list, "set_robust_list", 0},
    {SYS_clock_gettime, "clock_gettime", 0},
    {SYS_sigaltstack, "sigaltstack", 0},
    {SYS_exit, "exit", 0},
    {SYS_exit_group, "exit_group", 0},
};

Call call_of(long number) {
  const auto* const found = std::find_if(std::begin(kCalls), std::end(kCalls),
                                         [&](const Call& call) { return call.number == number; });
  return found != std::end(kCalls) ? *found : Call{number, "another system call", ENOMEM};
}

/// Calls for which the kernel may say EINTR, on some file system or other.
bool can_be_interrupted(long number) {
  constexpr long kNumbers[] = {SYS_pwrite64, SYS_pwritev, SYS_pread64,   SYS_read,
                               SYS_lseek,    SYS_openat,  SYS_fallocate, SYS_ftruncate,
                               SYS_fsync,    SYS_linkat,  SYS_fchown,    SYS_fchmod};
  return std::find(std::begin(kNumbers), std::end(kNumbers), number) != std::end(kNumbers);
}

/// The code of a sanitizer's runtime, where that is a library: the child has it at the same place.
struct SanitizerCode {
  SanitizerCode() {
    const auto look_at = [](dl_phdr_info* library, std::size_t, void* self) {
      auto& code = *static_cast<SanitizerCode*>(self);
      if (std::strstr(library->dlpi_name, "libasan") == nullptr) return 0;
      for (int i = 0; i < library->dlpi_phnum; ++i) {
        const ElfW(Phdr)& part = library->dlpi_phdr[i];
        if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
        code.begin = library->dlpi_addr + part.p_vaddr;
        code.end = code.begin + part.p_memsz;
      }
      return 1;
    };
    ::dl_iterate_phdr(look_at, this);
  }
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

bool is_sanitizers(const Registers& at) {
  static const SanitizerCode code;
  return code.begin <= at.program_counter() && at.program_counter() < code.end;
}

bool is_counted(What what, Registers& at) {
  if (is_sanitizers(at)) return false;
  const long number = at.number();
  switch (what) {
    case What::system_call: return call_of(number).error != 0;
    case What::half_done:
      return number == SYS_mprotect || (number == SYS_mmap && (at.argument(3) & MAP_FIXED) != 0);
    case What::interrupted: return can_be_interrupted(number);
    case What::short_transfer:
      return number == SYS_pwrite64 || number == SYS_pwritev || number == SYS_pread64;
    case What::allocation: return false;
  }
  return false;
}

// ---- One window ---------------------------------------------------------------------------------

enum class End { of_window, of_process, of_forked_child, of_patience };

class Tracer {
 public:
  Tracer(const Plan& plan, Outcome& outcome, Names& refused)
      : plan_(plan), outcome_(outcome), refused_(refused) {
    sigset_t child_changed;
    sigemptyset(&child_changed);
    sigaddset(&child_changed, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child_changed, &mask_before_);
  }
  ~Tracer() { pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr); }
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  /// Waits until `pid` stops or ends. False if it does neither: then it is killed.
  bool wait_for(pid_t pid, int& status);
  End follow(pid_t pid);

 private:
  void on_entry(pid_t pid);
  void on_exit(pid_t pid);
  void refuse(const Registers& at);
  [[nodiscard]] static bool is_end(Registers& at) {
    return at.number() == kEndCall && at.argument(0) == kEndArgument;
  }

  const Plan& plan_;
  Outcome& outcome_;
  Names& refused_;
  sigset_t mask_before_{};
  unsigned calls_ = 0;
  bool refusing_ = false;
  bool has_result_ = false;
  long result_ = 0;
  Registers original_{0};
};

bool Tracer::wait_for(pid_t pid, int& status) {
  constexpr int kSeconds = 300;
  sigset_t child_changed;
  sigemptyset(&child_changed);
  sigaddset(&child_changed, SIGCHLD);
  const std::time_t deadline = std::time(nullptr) + kSeconds;
  while (::waitpid(pid, &status, WNOHANG | __WALL) == 0) {
    if (std::time(nullptr) > deadline) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, __WALL);
      outcome_.hung = true;
      return false;
    }
    const timespec a_moment{0, 100'000'000};
    ::sigtimedwait(&child_changed, nullptr, &a_moment);
  }
  return true;
}

// The child is stopped by the signal with which it says that a window begins.
End Tracer::follow(pid_t pid) {
  unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  if (plan_.in_forked_child) options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE;
  ::ptrace(PTRACE_SETOPTIONS, pid, 0, options);
  const pid_t first = pid;
  outcome_.calls = calls_ = 0;
  bool counting = !plan_.in_forked_child;
  bool entering = true;
  unsigned long signal = 0;
  for (;;) {
    int status = 0;
    ::ptrace(PTRACE_SYSCALL, pid, 0, signal);
    if (!wait_for(pid, status)) return End::of_patience;
    if (!WIFSTOPPED(status)) {
      outcome_.wait_status = status;
      return pid == first ? End::of_process : End::of_forked_child;
    }
    signal = 0;
    if (status >> 16 != 0) {  // it has forked: go after the child
      unsigned long forked = 0;
      if (::ptrace(PTRACE_GETEVENTMSG, pid, 0, &forked) != 0 || forked == 0) continue;
      ::ptrace(PTRACE_DETACH, pid, 0, 0);
      pid = static_cast<pid_t>(forked);
      if (!wait_for(pid, status)) return End::of_patience;
      counting = entering = true;
    } else if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = static_cast<unsigned long>(WSTOPSIG(status));
    } else {
      Registers at(pid);
      if (entering && is_end(at)) {
        ::ptrace(PTRACE_DETACH, pid, 0, 0);
        return End::of_window;
      }
      if (counting && entering) on_entry(pid);
      if (counting && !entering) on_exit(pid);
      entering = !entering;
    }
  }
}

void Tracer::on_entry(pid_t pid) {
  Registers at(pid);
  refusing_ = false;
  if (!is_counted(plan_.what, at)) return;
  outcome_.calls = ++calls_;
  refusing_ = plan_.often == Often::once ? calls_ == plan_.k : calls_ >= plan_.k;
  if (!refusing_) return;
  ++outcome_.refused;
  const std::string name = std::string(" ") + call_of(at.number()).name;
  const std::size_t length = std::strlen(refused_.data());
  if (std::strstr(refused_.data(), name.c_str()) == nullptr &&
      length + name.size() < refused_.size()) {
    std::memcpy(refused_.data() + length, name.c_str(), name.size() + 1);
  }
  refuse(at);
}

void Tracer::refuse(const Registers& at) {
  original_ = at;
  Registers now = at;
  has_result_ = true;
  switch (plan_.what) {
    case What::system_call:
      result_ = -call_of(now.number()).error;
      if (now.number() == SYS_brk) {  // says where the heap ends instead
        has_result_ = false;
        now.argument(0) = 0;
      } else {
        now.set_number(-1);
      }
      break;
    case What::half_done: {
      const unsigned long long page = support::page_bytes();  // no mapping ends within a page
      result_ = -ENOMEM;
      if (now.number() == SYS_mprotect) now.argument(1) = now.argument(1) / 2 / page * page;
      if (now.number() == SYS_mmap) now.set_number(SYS_munmap);
      break;
    }
    case What::interrupted:
      result_ = -EINTR;
      now.set_number(-1);
      break;
    case What::short_transfer:
      has_result_ = false;
      now.argument(2) = (now.argument(2) + 1) / 2;
      break;
    case What::allocation: break;
  }
  now.write();
}

// The code that made the call must find its own arguments in the registers.
void Tracer::on_exit(pid_t pid) {
  if (!refusing_) return;
  Registers now(pid);
  for (unsigned i = Registers::kFirstKept; i < 4; ++i) now.argument(i) = original_.argument(i);
  if (has_result_) now.set_result(result_);
  now.write();
}

}  // namespace

bool begin_tracing() {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return false;
  ::raise(SIGSTOP);  // the tracer hears of it and lets us go on
  return true;
}

void end_tracing() { ::syscall(kEndCall, kEndArgument, 0UL); }

void trace(int pid, const Plan& plan, Outcome& outcome, Names& refused) {
  Tracer tracer(plan, outcome, refused);
  int status = 0;
  while (tracer.wait_for(pid, status)) {
    if (!WIFSTOPPED(status)) {
      outcome.wait_status = status;
      return;
    }
    const End end = tracer.follow(pid);
    if (end == End::of_process || end == End::of_patience) return;
  }
}

}  // namespace injection::detail
