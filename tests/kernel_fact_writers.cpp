// The system calls of tests/kernel_writers.hpp that tell facts: about time, the process, the
// system and files.

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <csignal>
#include <cstdint>
#include <ctime>

#include "kernel_call.hpp"

namespace support {

namespace {

// ---- Time ---------------------------------------------------------------------------------------

std::uint64_t nanoseconds_at(const std::byte* place) {
  const auto time = value_at<timespec>(place);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t microseconds_at(const std::byte* place) {
  const auto time = value_at<timeval>(place);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000u +
         static_cast<std::uint64_t>(time.tv_usec);
}

KernelWrite do_clock_gettime(std::byte* target) {
  return compare_growing<sizeof(timespec)>(
      target, [](std::byte* place) { return call(SYS_clock_gettime, CLOCK_MONOTONIC, place); },
      nanoseconds_at);
}

KernelWrite do_clock_getres(std::byte* target) {
  return compare_with_plain<sizeof(timespec)>(
      target, [](std::byte* place) { return call(SYS_clock_getres, CLOCK_MONOTONIC, place); });
}

KernelWrite do_gettimeofday(std::byte* target) {
  if (call(SYS_gettimeofday, target, 0) < 0) return failed();
  const auto time = value_at<timeval>(target);
  // The clock may be set meanwhile: anything that is a time will do.
  const bool is_time = time.tv_sec > 1'000'000'000 && time.tv_sec < 10'000'000'000 &&
                       time.tv_usec >= 0 && time.tv_usec < 1'000'000;
  return {0, is_time ? "" : "no time arrived"};
}

KernelWrite do_times(std::byte* target) {
  return compare_growing<sizeof(tms)>(
      target, [](std::byte* place) { return call(SYS_times, place); },
      [](const std::byte* place) { return value_at<tms>(place).tms_utime; });
}

KernelWrite do_getrusage(std::byte* target) {
  return compare_growing<sizeof(rusage)>(
      target, [](std::byte* place) { return call(SYS_getrusage, RUSAGE_SELF, place); },
      microseconds_at);  // ru_utime comes first
}

KernelWrite do_getitimer(std::byte* target) {
  return compare_with_plain<sizeof(itimerval)>(
      target, [](std::byte* place) { return call(SYS_getitimer, ITIMER_VIRTUAL, place); });
}

KernelWrite do_sched_rr_get_interval(std::byte* target) {
  return compare_with_plain<sizeof(timespec)>(
      target, [](std::byte* place) { return call(SYS_sched_rr_get_interval, 0, place); });
}

// ---- The process --------------------------------------------------------------------------------

KernelWrite do_getrlimit(std::byte* target) {
  return compare_with_plain<sizeof(rlimit)>(
      target, [](std::byte* place) { return call(SYS_getrlimit, RLIMIT_NOFILE, place); });
}

KernelWrite do_prlimit(std::byte* target) {
  return compare_with_plain<sizeof(rlimit)>(
      target, [](std::byte* place) { return call(SYS_prlimit64, 0, RLIMIT_STACK, 0, place); });
}

KernelWrite do_sched_getaffinity(std::byte* target) {
  return compare_with_plain<1024>(
      target, [](std::byte* place) { return call(SYS_sched_getaffinity, 0, 1024, place); });
}

KernelWrite do_sigpending(std::byte* target) {
  return compare_with_plain<8>(target,
                               [](std::byte* place) { return call(SYS_rt_sigpending, place, 8); });
}

KernelWrite do_sigprocmask(std::byte* target) {
  return compare_with_plain<8>(
      target, [](std::byte* place) { return call(SYS_rt_sigprocmask, SIG_BLOCK, 0, place, 8); });
}

KernelWrite do_capget(std::byte* target) {
  return compare_with_plain<2 * sizeof(__user_cap_data_struct)>(target, [](std::byte* place) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    return call(SYS_capget, &header, place);
  });
}

KernelWrite do_prctl(std::byte* target) {
  return compare_with_plain<16>(
      target, [](std::byte* place) { return call(SYS_prctl, PR_GET_NAME, place); });
}

KernelWrite do_getcwd(std::byte* target) {
  return compare_with_plain<512>(target,
                                 [](std::byte* place) { return call(SYS_getcwd, place, 512); });
}

// ---- The system ---------------------------------------------------------------------------------

KernelWrite do_uname(std::byte* target) {
  return compare_with_plain<sizeof(utsname)>(
      target, [](std::byte* place) { return call(SYS_uname, place); });
}

KernelWrite do_sysinfo(std::byte* target) {
  return compare_growing<sizeof(struct sysinfo)>(
      target, [](std::byte* place) { return call(SYS_sysinfo, place); },
      [](const std::byte* place) { return value_at<struct sysinfo>(place).uptime; });
}

KernelWrite do_getrandom(std::byte* target) {
  std::array<std::byte, 200> before{};
  std::memcpy(before.data(), target, before.size());
  const long result = call(SYS_getrandom, target, before.size(), 0);
  KernelWrite written = compare(result, static_cast<long>(before.size()), target, target, 0);
  if (written.error == 0 && std::memcmp(target + 100, before.data() + 100, 100) == 0) {
    written.wrong = "nothing arrived";
  }
  return written;
}

// ---- Files --------------------------------------------------------------------------------------

constexpr const char* a_file = "/proc/self/exe";  // a link, to a file

KernelWrite do_newfstatat(std::byte* target) {
  return compare_with_plain<sizeof(struct stat)>(
      target, [](std::byte* place) { return call(SYS_newfstatat, AT_FDCWD, "/usr", place, 0); });
}

KernelWrite do_fstat(std::byte* target) {
  const Descriptor folder(::open("/usr", O_RDONLY | O_CLOEXEC));
  return compare_with_plain<sizeof(struct stat)>(
      target, [&](std::byte* place) { return call(SYS_fstat, int{folder}, place); });
}

KernelWrite do_statx(std::byte* target) {
  return compare_with_plain<256>(target, [](std::byte* place) {
    return call(SYS_statx, AT_FDCWD, "/usr", 0, STATX_BASIC_STATS, place);
  });
}

KernelWrite do_statfs(std::byte* target) {
  return compare_with_plain<sizeof(struct statfs)>(
      target, [](std::byte* place) { return call(SYS_statfs, "/proc", place); });
}

KernelWrite do_readlinkat(std::byte* target) {
  return compare_with_plain<512>(
      target, [](std::byte* place) { return call(SYS_readlinkat, AT_FDCWD, a_file, place, 512); });
}

KernelWrite do_getdents(std::byte* target) {
  const Descriptor folder(::open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return compare_with_plain<400>(target, [&](std::byte* place) {
    ::lseek(folder, 0, SEEK_SET);
    return call(SYS_getdents64, int{folder}, place, 400);
  });
}

constexpr KernelWriter writers[] = {
    {"clock_gettime", sizeof(timespec), nullptr, do_clock_gettime},
    {"clock_getres", sizeof(timespec), nullptr, do_clock_getres},
    {"gettimeofday", sizeof(timeval), nullptr, do_gettimeofday},
    {"times", sizeof(tms), nullptr, do_times},
    {"getrusage", sizeof(rusage), nullptr, do_getrusage},
    {"getitimer", sizeof(itimerval), nullptr, do_getitimer},
    {"sched_rr_get_interval", sizeof(timespec), nullptr, do_sched_rr_get_interval},
    {"getrlimit", sizeof(rlimit), nullptr, do_getrlimit},
    {"prlimit64", sizeof(rlimit), nullptr, do_prlimit},
    {"sched_getaffinity", 1024, nullptr, do_sched_getaffinity},
    {"rt_sigpending", 8, nullptr, do_sigpending},
    {"rt_sigprocmask", 8, nullptr, do_sigprocmask},
    {"capget", 2 * sizeof(__user_cap_data_struct), nullptr, do_capget},
    {"prctl(PR_GET_NAME)", 16, nullptr, do_prctl},
    {"getcwd", 512, nullptr, do_getcwd},
    {"uname", sizeof(utsname), nullptr, do_uname},
    {"sysinfo", sizeof(struct sysinfo), nullptr, do_sysinfo},
    {"getrandom", 200, nullptr, do_getrandom},
    {"newfstatat", sizeof(struct stat), nullptr, do_newfstatat},
    {"fstat", sizeof(struct stat), nullptr, do_fstat},
    {"statx", 256, nullptr, do_statx},
    {"statfs", sizeof(struct statfs), nullptr, do_statfs},
    {"readlinkat", 512, nullptr, do_readlinkat},
    {"getdents64", 400, nullptr, do_getdents},
};

}  // namespace

std::span<const KernelWriter> kernel_fact_writers() { return writers; }

}  // namespace support
