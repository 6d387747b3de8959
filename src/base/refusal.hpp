#pragma once

#include <string>
#include <string_view>

namespace cow {

/// Why the kernel refused `call` with `error`, and which limit to look at: a clause that is true of
/// this error, and empty where the error's own name says all. The one place that knows. `call` is
/// one that libcow makes on its own memory; of a user's file other things are true.
[[nodiscard]] std::string_view why_refused(int error, std::string_view call) noexcept;

/// The operating system refused: throws std::system_error with `error` (an errno value) and
/// "<call>: <what>; <why>". `what` says what failed and nothing about the cause.
[[noreturn]] void throw_refused(int error, const char* call, const std::string& what);

}  // namespace cow
