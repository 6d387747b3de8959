#include "os/process.hpp"

#include <elf.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>

#include "os/syscall.hpp"

namespace cow::os {

std::uint32_t process_id() noexcept { return static_cast<std::uint32_t>(raw_syscall(SYS_getpid)); }
std::uint32_t thread_id() noexcept { return static_cast<std::uint32_t>(raw_syscall(SYS_gettid)); }

std::uint64_t realtime_ns() noexcept {
  constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "";
}

std::string program_path() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  return length <= 0 ? "" : std::string(path.data(), static_cast<std::size_t>(length));
}

std::uint32_t architecture() noexcept {
#if defined(__x86_64__)
  return EM_X86_64;
#else
  return EM_AARCH64;
#endif
}

const char* environment(const char* name) noexcept { return ::secure_getenv(name); }

}  // namespace cow::os
