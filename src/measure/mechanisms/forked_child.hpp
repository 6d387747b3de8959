#pragma once

// Children of fork(), the way to clone memory that every Unix has.

#include <sys/types.h>

#include <functional>
#include <optional>

#include "measure/mechanisms/mapping.hpp"

namespace cow::measure {

/// A child that runs `body` and ends, without running anything of the parent's; what `body` throws
/// it prints on the error output. Throws std::system_error where none can be had.
[[nodiscard]] pid_t fork_child(const std::function<void()>& body);

/// Waits for it. Throws std::runtime_error if `body` threw, or it did not end well otherwise.
void reap(pid_t child);

/// A child that has all bytes as they were and sleeps until the end of its scope.
class SleepingChild {
 public:
  SleepingChild();
  SleepingChild(const SleepingChild&) = delete;
  SleepingChild& operator=(const SleepingChild&) = delete;
  ~SleepingChild();

  /// Ends it, and throws if it did not end well.
  void end();

 private:
  std::optional<Descriptor> wake_;
  pid_t child_ = 0;
};

}  // namespace cow::measure
