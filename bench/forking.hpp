#pragma once

// fork(), the way to clone memory that every Unix has.

#include <sys/types.h>

#include <cstddef>
#include <functional>

#include "samples.hpp"

namespace cow_bench {

struct ForkTimes {
  double returned_ns = 0;  ///< until fork() returned in the parent
  double reaped_ns = 0;    ///< until the child, which does nothing but _exit, was waited for
};

/// Forks this process once.
[[nodiscard]] ForkTimes time_fork();

/// Nanoseconds for a fork() whose child runs `body` and ends, until it is reaped.
[[nodiscard]] double time_trial(const std::function<void()>& body);

/// A child of fork() that does something and ends.
class WorkingChild {
 public:
  explicit WorkingChild(const std::function<void()>& work);
  WorkingChild(const WorkingChild&) = delete;
  WorkingChild& operator=(const WorkingChild&) = delete;
  ~WorkingChild();

  /// Throws std::runtime_error if it did not end well.
  [[nodiscard]] bool is_working();

 private:
  pid_t child_ = -1;  ///< 0 once it was reaped
};

}  // namespace cow_bench
