#pragma once

#include <exception>
#include <string>

namespace cow {

/// The operating system refused: throws std::system_error with `error` (an errno value) and
/// "<call>: <sentence>".
[[noreturn]] void throw_system_error(int error, const char* call, const std::string& sentence);

/// The errno value of what the operating system refused; ENOMEM for everything else, which is want
/// of heap.
[[nodiscard]] int error_of(const std::exception& failure) noexcept;

/// The caller passed something that cannot be meant: throws std::invalid_argument.
[[noreturn]] void throw_invalid_argument(const std::string& sentence);

/// The call makes no sense for the object as it is: throws std::logic_error.
[[noreturn]] void throw_misuse(const std::string& sentence);

}  // namespace cow
