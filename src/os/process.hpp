#pragma once

#include <cstdint>
#include <string>

namespace cow::os {

/// This process, and the calling thread, as the kernel numbers them. Asked anew each time: nothing
/// that is kept would be right in every child. Cost: one system call. Signal context: yes.
std::uint32_t process_id() noexcept;
std::uint32_t thread_id() noexcept;

/// CLOCK_REALTIME in nanoseconds.
std::uint64_t realtime_ns() noexcept;

/// What uname says of the kernel's release; empty if it says nothing.
std::string kernel_release();
/// The path of this process's executable; empty where there is no /proc.
std::string program_path();
/// ELF's number of the processor's architecture.
std::uint32_t architecture() noexcept;

/// A variable of the environment, or null: also in a process with more rights than its caller.
const char* environment(const char* name) noexcept;

}  // namespace cow::os
