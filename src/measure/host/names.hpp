#pragma once

#include <string>

namespace cow::measure {

/// "EPERM", "SIGSYS"; "error 1234" and "signal 99" for what has no name.
[[nodiscard]] std::string error_name(int error);
[[nodiscard]] std::string signal_name(int signal);

}  // namespace cow::measure
