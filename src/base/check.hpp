#pragma once

namespace cow {

/// Whether this build checks what the code relies on: CMake's COW_CHECKS, on for the presets
/// `debug`, `asan`, `tsan` and `fuzz`.
#if defined(COW_CHECKS)
inline constexpr bool kChecks = true;
#else
inline constexpr bool kChecks = false;
#endif

/// Writes one line to stderr, with the condition and its place, and ends the process with SIGABRT.
/// Signal context: yes. It takes a system call, so src/os/last_words.cpp has it.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace cow

/// What must be true here: a precondition, or an invariant. Where it is not, a build that checks
/// ends the process. In any other build the condition is compiled, and nothing is left of it.
/// Signal context: yes, if the condition may be asked there.
#define COW_CHECK(condition)                             \
  (!::cow::kChecks || (condition) ? static_cast<void>(0) \
                                  : ::cow::check_failed(#condition, __FILE__, __LINE__))
