#include "os/thread.hpp"

#include <time.h>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "os/syscall.hpp"

namespace cow::os {

void rest() noexcept {
  constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 20'000};
  raw_syscall(SYS_nanosleep, argument(&kMoment), 0);
}

void rest_longer() noexcept {
  constexpr timespec kWhile{.tv_sec = 0, .tv_nsec = 10'000'000};
  raw_syscall(SYS_nanosleep, argument(&kWhile), 0);
}

bool is_only_thread() noexcept {
#if __has_include(<sys/single_threaded.h>)
  return __libc_single_threaded != 0;
#else
  return false;
#endif
}

}  // namespace cow::os
