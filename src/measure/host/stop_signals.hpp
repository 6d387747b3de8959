#pragma once

// Ctrl-C, and what else asks a program to end.

#include <csignal>

namespace cow::measure {

/// While one is there, the first SIGINT, SIGTERM or SIGHUP is remembered and nothing more; at a
/// SIGINT after it every ChildProcess is ended, and this process as by that signal. A signal that
/// was ignored before stays so.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  [[nodiscard]] static bool has_come() noexcept;

 private:
  static constexpr int signals_[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction before_[3]{};
};

}  // namespace cow::measure
