// Functions of libc that fill less than a page: facts, and the buffers of streams.

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "calls.hpp"

namespace {

using probe::bytes;
using probe::Call;
using probe::File;
using probe::input;
using probe::page;
using probe::shows;
using probe::Sockets;
using probe::Stream;

template <class T>
T* as(char* at) {
  return reinterpret_cast<T*>(at);
}

pid_t child_that_ends() {
  const pid_t child = ::vfork();
  if (child == 0) ::_exit(3);
  return child;
}

/// A long sleep that a signal ends: what it returns, and 1 if it does not tell how much is left.
int is_told_what_is_left(char* at, int (*sleep)(const timespec*, timespec*)) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &action, &before);
  const itimerval often{{0, 20'000}, {0, 20'000}};  // one may come before the sleep
  ::setitimer(ITIMER_REAL, &often, nullptr);
  const timespec minutes{600, 0};
  const int result = sleep(&minutes, as<timespec>(at));
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  const time_t left = as<timespec>(at)->tv_sec;
  return 0 < left && left <= minutes.tv_sec ? result : 1;
}

const Call on_one_page[] = {
    {"fgets with the stream's buffer in the region",
     [](char* at) {
       const Stream in;
       std::setvbuf(in.file, at, _IOFBF, 4096);
       std::vector<char> line(3000);
       return std::fgets(line.data(), 3000, in.file) != nullptr && shows(line.data(), 2999);
     }},
    {"getc with the stream's buffer in the region",
     [](char* at) {
       const Stream in;
       std::setvbuf(in.file, at, _IOFBF, 1000);
       for (std::size_t i = 0; i < 5000; ++i) {
         if (std::getc(in.file) != probe::content(i)) return false;
       }
       return true;
     }},
    {"getline with the stream's buffer in the region",
     [](char* at) {
       const Stream in;
       std::setvbuf(in.file, at, _IOFBF, 1000);
       char* line = nullptr;
       std::size_t room = 0;
       const ssize_t count = ::getline(&line, &room, in.file);
       const bool whole = count == ssize_t{probe::file_bytes} && shows(line, probe::file_bytes);
       std::free(line);
       return whole;
     }},
    {"fscanf with the stream's buffer in the region",
     [](char* at) {
       const Stream in;
       std::setvbuf(in.file, at, _IOFBF, 1000);
       char word[101] = "";
       return std::fscanf(in.file, "%100s", word) == 1 && shows(word, 100);
     }},
    {"fseek with the stream's buffer in the region",
     [](char* at) {
       const Stream in;
       std::setvbuf(in.file, at, _IOFBF, 4096);
       return std::fseek(in.file, 5001, SEEK_SET) == 0 &&
              std::getc(in.file) == probe::content(5001);
     }},
    {"stat",
     [](char* at) {
       auto* const to = as<struct stat>(at);
       return ::stat(probe::input_path().c_str(), to) == 0 &&
              to->st_size == off_t{probe::file_bytes};
     }},
    {"fstat",
     [](char* at) {
       auto* const to = as<struct stat>(at);
       return ::fstat(input(), to) == 0 && to->st_size == off_t{probe::file_bytes};
     }},
    {"statx",
     [](char* at) {
       auto* const to = as<struct statx>(at);
       return ::statx(AT_FDCWD, probe::input_path().c_str(), 0, STATX_SIZE, to) == 0 &&
              to->stx_size == probe::file_bytes;
     }},
    {"statfs", [](char* at) { return ::statfs("/", as<struct statfs>(at)) == 0; }},
    {"readlink",
     [](char* at) { return ::readlink("/proc/self/cwd", at, 4000) > 0 && at[0] == '/'; }},
    {"getcwd", [](char* at) { return ::getcwd(at, 4000) == at && at[0] == '/'; }},
    {"pipe",
     [](char* at) {
       auto* const ends = as<int>(at);
       if (::pipe(ends) != 0) return false;
       return ::close(ends[0]) == 0 && ::close(ends[1]) == 0;
     }},
    {"socketpair",
     [](char* at) {
       auto* const ends = as<int>(at);
       if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return false;
       return ::close(ends[0]) == 0 && ::close(ends[1]) == 0;
     }},
    {"getsockname and getsockopt",
     [](char* at) {
       auto* const length = as<socklen_t>(at);
       *length = 100;
       static_cast<void>(cow::process_stats());
       const Sockets sockets;
       return ::getsockname(sockets.ends[0], as<sockaddr>(at + page), length) == 0 &&
              as<sockaddr>(at + page)->sa_family == AF_UNIX && (*length = sizeof(int)) > 0 &&
              ::getsockopt(sockets.ends[0], SOL_SOCKET, SO_TYPE, at + 2 * page, length) == 0 &&
              *as<int>(at + 2 * page) == SOCK_STREAM;
     }},
    // There is no such descriptor as was there before; that is told.
    {"poll",
     [](char* at) {
       return ::poll(as<pollfd>(at), 2, 0) == 2 && as<pollfd>(at)->revents == POLLNVAL;
     }},
    {"epoll_wait",
     [](char* at) {
       const Sockets sockets;
       const File poll(::epoll_create1(EPOLL_CLOEXEC));
       epoll_event event{};
       event.events = EPOLLIN;
       event.data.u64 = 7;
       return ::epoll_ctl(poll, EPOLL_CTL_ADD, sockets.ends[0], &event) == 0 &&
              ::epoll_wait(poll, as<epoll_event>(at), 4, 0) == 1 &&
              as<epoll_event>(at)->data.u64 == 7;
     }},
    {"waitpid",
     [](char* at) {
       auto* const status = as<int>(at);
       const pid_t child = child_that_ends();
       const bool reaped = ::waitpid(child, status, 0) == child;
       if (!reaped) ::waitpid(child, nullptr, 0);
       return reaped && WIFEXITED(*status) && WEXITSTATUS(*status) == 3;
     }},
    {"waitid",
     [](char* at) {
       const pid_t child = child_that_ends();
       const bool told =
           ::waitid(P_PID, static_cast<id_t>(child), as<siginfo_t>(at), WEXITED | WNOWAIT) == 0;
       ::waitpid(child, nullptr, 0);
       return told && as<siginfo_t>(at)->si_pid == child;
     }},
    {"uname",
     [](char* at) {
       return ::uname(as<utsname>(at)) == 0 && std::strcmp(as<utsname>(at)->sysname, "Linux") == 0;
     }},
    {"sysinfo", [](char* at) { return ::sysinfo(as<struct sysinfo>(at)) == 0; }},
    {"getrusage", [](char* at) { return ::getrusage(RUSAGE_SELF, as<rusage>(at)) == 0; }},
    {"getrlimit", [](char* at) { return ::getrlimit(RLIMIT_NOFILE, as<rlimit>(at)) == 0; }},
    {"sched_getaffinity",
     [](char* at) { return ::sched_getaffinity(0, sizeof(cpu_set_t), as<cpu_set_t>(at)) == 0; }},
    {"getresuid",
     [](char* at) {
       return ::getresuid(as<uid_t>(at), as<uid_t>(at + page), as<uid_t>(at + 2 * page)) == 0;
     }},
    {"clock_gettime of the process",
     [](char* at) { return ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, as<timespec>(at)) == 0; }},
    {"nanosleep", [](char* at) { return is_told_what_is_left(at, &::nanosleep) == -1; }},
    {"thrd_sleep", [](char* at) { return is_told_what_is_left(at, &::thrd_sleep) == -1; }},
    {"clock_nanosleep",
     [](char* at) {
       return is_told_what_is_left(at, [](const timespec* time, timespec* left) {
                return ::clock_nanosleep(CLOCK_MONOTONIC, 0, time, left);
              }) == EINTR;
     }},
    {"getitimer", [](char* at) { return ::getitimer(ITIMER_REAL, as<itimerval>(at)) == 0; }},
    {"sigprocmask",
     [](char* at) { return ::sigprocmask(SIG_BLOCK, nullptr, as<sigset_t>(at)) == 0; }},
    {"pthread_sigmask",
     [](char* at) { return ::pthread_sigmask(SIG_BLOCK, nullptr, as<sigset_t>(at)) == 0; }},
    {"sigpending", [](char* at) { return ::sigpending(as<sigset_t>(at)) == 0; }},
    {"sigaltstack", [](char* at) { return ::sigaltstack(nullptr, as<stack_t>(at)) == 0; }},
    {"mincore", [](char* at) { return ::mincore(at - page, page, as<unsigned char>(at)) == 0; }},
    {"ioctl",
     [](char* at) {
       const Sockets sockets;
       return ::ioctl(sockets.ends[0], FIONREAD, at) == 0 &&
              *as<int>(at) == static_cast<int>(bytes);
     }},
    {"prctl", [](char* at) { return ::prctl(PR_GET_NAME, at) == 0 && at[0] != '\0'; }},
};

}  // namespace

std::span<const Call> probe::fact_calls() { return on_one_page; }
