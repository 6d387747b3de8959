#include "os/thread.hpp"

#include <time.h>

#include "os/syscall.hpp"

namespace cow::os {

void yield_processor() noexcept { raw_syscall(SYS_sched_yield); }

void rest() noexcept {
  constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 20'000};
  raw_syscall(SYS_nanosleep, argument(&kMoment), 0);
}

}  // namespace cow::os
