#pragma once

// What the machine is doing beside us.

#include <optional>

namespace cow::measure {

/// Threads that want to run, over the last minute: ours are among them.
[[nodiscard]] std::optional<double> load_of_a_minute();

/// What the kernel says the processor runs at now. Absent where it does not know, as in most
/// virtual machines.
[[nodiscard]] std::optional<double> frequency_mhz(int processor);

}  // namespace cow::measure
