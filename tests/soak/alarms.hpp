// SIGALRM a thousand times a second for each worker, with a handler that stores to a region.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>

#include "soak/shadow.hpp"

namespace soak {

/// Where this thread's handler stores: the alarm counter of `worker` in any page.
struct Aim {
  std::byte* bytes = nullptr;
  const Layout* layout = nullptr;
  Shadow* shadow = nullptr;
  WorkerIndex worker = 0;
};

/// While one is alive, this thread's handler stores to a region; nobody may restore or destroy it
/// meanwhile. The aim of an outer one is taken up again.
class Aiming {
 public:
  explicit Aiming(const Aim& aim);
  ~Aiming();
  Aiming(const Aiming&) = delete;
  Aiming& operator=(const Aiming&) = delete;

 private:
  Aim before_;
  bool was_aimed_;
};

/// While one is alive no thread's handler stores; it waits for those that do. For fork(), which
/// takes libcow's locks and then the heap's: a handler that interrupted malloc() and waited for a
/// fork would be waited for by it. One at a time.
class AlarmsHeldOff {
 public:
  AlarmsHeldOff();
  ~AlarmsHeldOff();
  AlarmsHeldOff(const AlarmsHeldOff&) = delete;
  AlarmsHeldOff& operator=(const AlarmsHeldOff&) = delete;
};

/// Alarms for the calling thread while it lives. A system without such timers gives none.
class AlarmClock {
 public:
  explicit AlarmClock(std::uint64_t seed);
  ~AlarmClock();
  AlarmClock(const AlarmClock&) = delete;
  AlarmClock& operator=(const AlarmClock&) = delete;

  /// Alarms delivered since the last call.
  [[nodiscard]] std::uint64_t take_count();
  /// What a handler found that it should not have, if it did.
  [[nodiscard]] std::optional<Mismatch> mismatch() const;

 private:
  std::optional<timer_t> timer_;
};

/// Once, before there are workers.
void install_alarm_handler();

}  // namespace soak
