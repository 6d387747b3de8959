#include "os/thread.hpp"

#include "os/syscall.hpp"

namespace cow::os {

void yield_processor() noexcept { raw_syscall(SYS_sched_yield); }

}  // namespace cow::os
