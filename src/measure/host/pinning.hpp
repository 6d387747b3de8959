#pragma once

// Which processor a thread runs on.

#include <optional>
#include <vector>

namespace cow::measure {

/// The last of the processors that this process may use: the first ones answer the devices. Absent
/// where the kernel does not say.
[[nodiscard]] std::optional<int> processor_to_pin_to();

/// Those that the calling thread may use, by number; empty where the kernel does not say.
[[nodiscard]] std::vector<int> list_processors();

/// How many processors this process may use; at least 1.
[[nodiscard]] int allowed_processors();

/// The calling thread, and those it makes, run on `processor` alone. False if that is refused.
[[nodiscard]] bool pin_to(int processor);
/// The same for any of several.
[[nodiscard]] bool pin_to(const std::vector<int>& processors);

}  // namespace cow::measure
