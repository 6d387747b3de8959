// What the kernel tells about time, signals, processes, users and the system.

#include <sched.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "reads/interpose.hpp"

COW_READS_MEMBER(facts)

/// The same as COW_READS for functions that return an errno value instead of setting errno.
#define COW_READS_ERRNO(name, parameters, arguments, ...)                 \
  COW_READS_NEXT(name)                                                    \
  COW_READS_OURS int name parameters {                                    \
    const auto real = COW_READS_REAL(name);                               \
    if (real == nullptr) return ENOSYS;                                   \
    const int before = errno;                                             \
    const auto call = [&] { return real arguments; };                     \
    const int result = cow::reads::with_leases<int>({__VA_ARGS__}, call); \
    return result == -1 ? std::exchange(errno, before) : result;          \
  }

// ---- Time ---------------------------------------------------------------------------------------

COW_READS(int, clock_gettime, (clockid_t clock, timespec* to) noexcept, (clock, to),
          {to, sizeof(*to)})
COW_READS(int, clock_getres, (clockid_t clock, timespec* to) noexcept, (clock, to),
          {to, sizeof(*to)})
COW_READS(int, gettimeofday, (timeval * to, void* zone) noexcept, (to, zone), {to, sizeof(*to)})
COW_READS(int, timespec_get, (timespec * to, int base) noexcept, (to, base), {to, sizeof(*to)})
COW_READS(int, timespec_getres, (timespec * to, int base) noexcept, (to, base), {to, sizeof(*to)})
COW_READS(time_t, time, (time_t * to) noexcept, (to), {to, sizeof(*to)})
COW_READS(int, nanosleep, (const timespec* time, timespec* left), (time, left),
          {left, sizeof(*left)})
COW_READS_ERRNO(clock_nanosleep, (clockid_t clock, int flags, const timespec* time, timespec* left),
                (clock, flags, time, left), {left, sizeof(*left)})
// Its -1 says that a signal ended it, and that of with_leases() that no lease was to be had.
COW_READS_NEXT(thrd_sleep)
COW_READS_OURS int thrd_sleep(const timespec* time, timespec* left) {
  constexpr int kOtherError = -2;
  const auto real = COW_READS_REAL(thrd_sleep);
  if (real == nullptr) return kOtherError;
  int slept = kOtherError;
  const auto call = [&] {
    slept = real(time, left);
    return 0;
  };
  return cow::reads::with_leases<int>({{left, sizeof(*left)}}, call) == 0 ? slept : kOtherError;
}
COW_READS(int, getitimer, (__itimer_which_t which, itimerval* to) noexcept, (which, to),
          {to, sizeof(*to)})
COW_READS(int, setitimer, (__itimer_which_t which, const itimerval* time, itimerval* old) noexcept,
          (which, time, old), {old, sizeof(*old)})
COW_READS(int, timer_create, (clockid_t clock, sigevent* event, timer_t* to) noexcept,
          (clock, event, to), {to, sizeof(*to)})
COW_READS(int, timer_gettime, (timer_t timer, itimerspec* to) noexcept, (timer, to),
          {to, sizeof(*to)})
COW_READS(int, timer_settime,
          (timer_t timer, int flags, const itimerspec* time, itimerspec* old) noexcept,
          (timer, flags, time, old), {old, sizeof(*old)})
COW_READS(int, timerfd_gettime, (int timer, itimerspec* to) noexcept, (timer, to),
          {to, sizeof(*to)})
COW_READS(int, timerfd_settime,
          (int timer, int flags, const itimerspec* time, itimerspec* old) noexcept,
          (timer, flags, time, old), {old, sizeof(*old)})
COW_READS(clock_t, times, (tms * to) noexcept, (to), {to, sizeof(*to)})
COW_READS(int, adjtimex, (timex * to) noexcept, (to), {to, sizeof(*to)})
COW_READS(int, ntp_adjtime, (timex * to) noexcept, (to), {to, sizeof(*to)})
COW_READS(int, clock_adjtime, (clockid_t clock, timex* to) noexcept, (clock, to), {to, sizeof(*to)})

// ---- Signals ------------------------------------------------------------------------------------

namespace {

constexpr size_t kMaskBytes = _NSIG / 8;  // of the kernel's sets: libc's have room for more

}  // namespace

COW_READS(int, sigprocmask, (int how, const sigset_t* set, sigset_t* old) noexcept, (how, set, old),
          {old, kMaskBytes})
COW_READS_ERRNO(pthread_sigmask, (int how, const sigset_t* set, sigset_t* old) noexcept,
                (how, set, old), {old, kMaskBytes})
COW_READS(int, sigpending, (sigset_t * to) noexcept, (to), {to, kMaskBytes})
COW_READS(int, sigwaitinfo, (const sigset_t* set, siginfo_t* to), (set, to), {to, sizeof(*to)})
COW_READS(int, sigtimedwait, (const sigset_t* set, siginfo_t* to, const timespec* time),
          (set, to, time), {to, sizeof(*to)})
COW_READS(int, sigaltstack, (const stack_t* stack, stack_t* old) noexcept, (stack, old),
          {old, sizeof(*old)})

// ---- Processes and threads ----------------------------------------------------------------------

COW_READS(pid_t, wait, (int* status), (status), {status, sizeof(*status)})
COW_READS(pid_t, waitpid, (pid_t process, int* status, int flags), (process, status, flags),
          {status, sizeof(*status)})
COW_READS(int, waitid, (idtype_t type, id_t process, siginfo_t* to, int flags),
          (type, process, to, flags), {to, sizeof(*to)})
COW_READS(pid_t, wait3, (int* status, int flags, rusage* usage) noexcept, (status, flags, usage),
          {status, sizeof(*status)}, {usage, sizeof(*usage)})
COW_READS(pid_t, wait4, (pid_t process, int* status, int flags, rusage* usage) noexcept,
          (process, status, flags, usage), {status, sizeof(*status)}, {usage, sizeof(*usage)})
COW_READS(int, getrusage, (__rusage_who_t who, rusage* to) noexcept, (who, to), {to, sizeof(*to)})
COW_READS(int, getrlimit, (__rlimit_resource_t which, rlimit* to) noexcept, (which, to),
          {to, sizeof(*to)})
COW_READS(int, getrlimit64, (__rlimit_resource_t which, rlimit64* to) noexcept, (which, to),
          {to, sizeof(*to)})
COW_READS(int, prlimit,
          (pid_t process, __rlimit_resource which, const rlimit* limit, rlimit* old) noexcept,
          (process, which, limit, old), {old, sizeof(*old)})
COW_READS(int, prlimit64,
          (pid_t process, __rlimit_resource which, const rlimit64* limit, rlimit64* old) noexcept,
          (process, which, limit, old), {old, sizeof(*old)})
COW_READS(int, sched_getaffinity, (pid_t process, size_t bytes, cpu_set_t* to) noexcept,
          (process, bytes, to), {to, bytes})
COW_READS_ERRNO(pthread_getaffinity_np, (pthread_t thread, size_t bytes, cpu_set_t* to) noexcept,
                (thread, bytes, to), {to, bytes})
COW_READS_ERRNO(pthread_getname_np, (pthread_t thread, char* to, size_t bytes) noexcept,
                (thread, to, bytes), {to, bytes})
COW_READS(int, sched_getparam, (pid_t process, sched_param* to) noexcept, (process, to),
          {to, sizeof(*to)})
COW_READS(int, sched_rr_get_interval, (pid_t process, timespec* to) noexcept, (process, to),
          {to, sizeof(*to)})
COW_READS(int, getcpu, (unsigned* processor, unsigned* node) noexcept, (processor, node),
          {processor, sizeof(*processor)}, {node, sizeof(*node)})
COW_READS(int, mincore, (void* memory, size_t bytes, unsigned char* to) noexcept,
          (memory, bytes, to), {to, bytes / static_cast<size_t>(::getpagesize()) + 1})

// ---- Users and the system -----------------------------------------------------------------------

COW_READS(int, getgroups, (int count, gid_t* to) noexcept, (count, to),
          {to, count > 0 ? static_cast<size_t>(count) * sizeof(*to) : 0})
COW_READS(int, __getgroups_chk, (int count, gid_t* to, size_t room), (count, to, room),
          {to, count > 0 ? static_cast<size_t>(count) * sizeof(*to) : 0})
COW_READS(int, getresuid, (uid_t * real_user, uid_t* effective, uid_t* saved) noexcept,
          (real_user, effective, saved), {real_user, sizeof(uid_t)}, {effective, sizeof(uid_t)},
          {saved, sizeof(uid_t)})
COW_READS(int, getresgid, (gid_t * real_group, gid_t* effective, gid_t* saved) noexcept,
          (real_group, effective, saved), {real_group, sizeof(gid_t)}, {effective, sizeof(gid_t)},
          {saved, sizeof(gid_t)})
COW_READS(int, uname, (utsname * to) noexcept, (to), {to, sizeof(*to)})
COW_READS(int, sysinfo, (struct sysinfo * to) noexcept, (to), {to, sizeof(*to)})
COW_READS(int, klogctl, (int command, char* to, int bytes) noexcept, (command, to, bytes),
          {to, bytes > 0 ? static_cast<size_t>(bytes) : 0})
COW_READS(void, arc4random_buf, (void* to, size_t bytes) noexcept, (to, bytes), {to, bytes})
COW_READS_ERRNO(ttyname_r, (int file, char* to, size_t bytes) noexcept, (file, to, bytes),
                {to, bytes})
COW_READS_ERRNO(__ttyname_r_chk, (int file, char* to, size_t bytes, size_t room),
                (file, to, bytes, room), {to, bytes})
