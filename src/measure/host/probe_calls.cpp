// Each system call that libcow makes, once.

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "measure/host/facts.hpp"
#include "measure/host/in_child.hpp"
#include "measure/host/pagemap_scan.hpp"
#include "measure/host/probes.hpp"

namespace cow::measure {

namespace {

/// 0, or what the call was refused with.
int error_of(long result) { return result < 0 ? errno : 0; }

int memfd() {
  static const int file =
      static_cast<int>(::syscall(SYS_memfd_create, "cow-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  return file;
}

/// One that has bytes. Its preparation is ftruncate's, so what needs it comes after that.
int filled() {
  static const bool is_ready = ::syscall(SYS_ftruncate, memfd(), 16 * host_page_bytes()) == 0;
  return is_ready ? memfd() : -1;
}

void* page() {
  alignas(65536) static std::array<std::byte, 65536> bytes{};
  return bytes.data();
}

void* mapped(int protection, int flags, int file) {
  const long address = ::syscall(SYS_mmap, nullptr, host_page_bytes(), protection, flags, file, 0);
  return reinterpret_cast<void*>(address);
}
int error_of(const void* address) { return address == MAP_FAILED ? errno : 0; }
void* anonymous() { return mapped(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1); }

int no_handler_needed() {
  struct sigaction action {};
  return error_of(::sigaction(SIGSEGV, nullptr, &action));
}

int set_action() {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  return error_of(::sigaction(SIGUSR1, &action, nullptr));
}

int return_from_handler() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  if (::sigaction(SIGUSR1, &action, nullptr) != 0) return errno;
  return error_of(::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), SIGUSR1));
}

int mask_signals() {
  std::uint64_t mask = 0;
  return error_of(::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, nullptr, sizeof mask));
}

int wake_nobody() {
  static int word = 0;
  return error_of(::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0));
}

int write_pieces() {
  const iovec piece{page(), host_page_bytes()};
  return error_of(::syscall(SYS_pwritev, filled(), &piece, 1, 0, 0));
}

int ask_in_memory() {
  unsigned char answer = 0;
  return error_of(::syscall(SYS_mincore, page(), host_page_bytes(), &answer));
}

int ask_statx() {
  struct statx found {};
  return error_of(::syscall(SYS_statx, memfd(), "", AT_EMPTY_PATH, STATX_INO, &found));
}

int ask_fstat() {
  struct stat found {};
  return error_of(::syscall(SYS_fstat, memfd(), &found));
}

int sleep_a_little() {
  const timespec moment{0, 1000};
  return error_of(::syscall(SYS_nanosleep, &moment, nullptr));
}

int ask_memory() {
  struct sysinfo found {};
  return error_of(::syscall(SYS_sysinfo, &found));
}

int draw_random() {
  std::uint64_t number = 0;
  return error_of(::syscall(SYS_getrandom, &number, sizeof number, 0));
}

int open_userfaultfd() {
  return error_of(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | kUserModeOnly));
}

int open_pagemap() { return error_of(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)); }

int move_descriptor() { return error_of(::fcntl(memfd(), F_DUPFD_CLOEXEC, 64)); }

enum class After { nothing, memfd, room };

struct Attempt {
  const char* name;
  const char* purpose;
  NeededBy needed_by;
  After after;
  int (*attempt)();
};

constexpr int kPunch = 3;  // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

// What is needed of each is what libcow does without it: see docs/doctor.md.
const Attempt kAttempts[] = {
    {"memfd_create", "the file that holds the bytes of regions", NeededBy::regions, After::nothing,
     [] { return error_of(memfd()); }},
    {"ftruncate", "the room in that file", NeededBy::regions, After::memfd,
     [] { return error_of(::syscall(SYS_ftruncate, memfd(), host_page_bytes())); }},
    {"fcntl(F_ADD_SEALS)", "that nobody can change the size of that file", NeededBy::regions,
     After::memfd, [] { return error_of(::fcntl(memfd(), F_ADD_SEALS, F_SEAL_SHRINK)); }},
    {"fcntl(F_DUPFD_CLOEXEC)", "a number for that file out of the program's way",
     NeededBy::some_uses, After::memfd, move_descriptor},
    {"statx", "whether a descriptor is still libcow's", NeededBy::some_uses, After::memfd,
     ask_statx},
    {"fstat", "the same where there is no statx, and the memory in use", NeededBy::some_uses,
     After::memfd, ask_fstat},
    {"lseek", "whether a descriptor is still libcow's, in a fault", NeededBy::some_uses,
     After::memfd, [] { return error_of(::syscall(SYS_lseek, memfd(), 0, SEEK_CUR)); }},
    {"mmap", "showing the bytes of that file", NeededBy::regions, After::room,
     [] { return error_of(mapped(PROT_READ | PROT_WRITE, MAP_SHARED, filled())); }},
    {"munmap", "giving addresses back", NeededBy::regions, After::nothing,
     [] { return error_of(::syscall(SYS_munmap, anonymous(), host_page_bytes())); }},
    {"mprotect", "keeping stores off pages that are shared", NeededBy::regions, After::nothing,
     [] { return error_of(::syscall(SYS_mprotect, anonymous(), host_page_bytes(), PROT_READ)); }},
    {"madvise", "giving memory back, and keeping regions out of core dumps", NeededBy::some_uses,
     After::nothing,
     [] {
       return error_of(::syscall(SYS_madvise, anonymous(), host_page_bytes(), MADV_DONTNEED));
     }},
    {"msync", "whether a page has a mapping, when mappings have run out", NeededBy::some_uses,
     After::nothing,
     [] { return error_of(::syscall(SYS_msync, page(), host_page_bytes(), MS_ASYNC)); }},
    {"mincore", "which pages are in memory", NeededBy::some_uses, After::nothing, ask_in_memory},
    {"pwrite64", "copying a page into that file, in a fault", NeededBy::regions, After::room,
     [] { return error_of(::syscall(SYS_pwrite64, filled(), page(), host_page_bytes(), 0)); }},
    {"pwritev", "copying many pages into that file", NeededBy::regions, After::room, write_pieces},
    {"pread64", "reading pages out of that file", NeededBy::some_uses, After::room,
     [] { return error_of(::syscall(SYS_pread64, filled(), page(), host_page_bytes(), 0)); }},
    {"fallocate", "memory beforehand, and giving it back", NeededBy::some_uses, After::room,
     [] { return error_of(::syscall(SYS_fallocate, filled(), kPunch, 0, host_page_bytes())); }},
    {"futex", "threads that wait for each other", NeededBy::regions, After::nothing, wake_nobody},
    {"rt_sigaction", "the handler of SIGSEGV", NeededBy::handler, After::nothing,
     [] {
       const int error = no_handler_needed();
       return error != 0 ? error : set_action();
     }},
    {"rt_sigreturn", "the way back from that handler", NeededBy::handler, After::nothing,
     return_from_handler},
    {"rt_sigprocmask", "signals that have to wait for a call to end", NeededBy::regions,
     After::nothing, mask_signals},
    {"nanosleep", "waiting for a mapping that another thread gives back", NeededBy::some_uses,
     After::nothing, sleep_a_little},
    {"sysinfo", "how much memory there is, and how much is free", NeededBy::some_uses,
     After::nothing, ask_memory},
    {"getrandom", "the names of images that are saved", NeededBy::some_uses, After::nothing,
     draw_random},
    {"userfaultfd", "pages that the kernel marks when they are stored to", NeededBy::kernel,
     After::nothing, open_userfaultfd},
    {"open(/proc/self/pagemap)", "asking the kernel for those marks", NeededBy::kernel,
     After::nothing, open_pagemap},
    {"ioctl(PAGEMAP_SCAN)", "asking the kernel for those marks", NeededBy::kernel, After::nothing,
     [] { return scan_own_page(page()); }},
};

}  // namespace

Trial try_in_child(int (*work)()) {
  const ChildEnd end = in_child([work] { return std::to_string(work()); });
  Trial trial;
  trial.was_tried = true;
  trial.signal = end.signal;
  if (end.has_said) trial.error = std::stoi(end.said);
  trial.worked = end.has_said && trial.error == 0;
  return trial;
}

std::vector<Call> try_calls() {
  std::vector<Call> calls;
  bool has_memfd = false;
  bool has_room = false;
  for (const Attempt& attempt : kAttempts) {
    Call call{attempt.name, attempt.purpose, attempt.needed_by, {}};
    const bool can_try = attempt.after == After::nothing ||
                         (attempt.after == After::memfd && has_memfd) ||
                         (attempt.after == After::room && has_room);
    if (can_try) call.trial = try_in_child(attempt.attempt);
    if (call.name == "memfd_create") has_memfd = call.trial.worked;
    if (call.name == "ftruncate") has_room = call.trial.worked;
    calls.push_back(std::move(call));
  }
  return calls;
}

}  // namespace cow::measure
