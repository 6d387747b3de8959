#pragma once

// What the kernel and the processor count of one thread: perf_event_open, and getrusage.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cow::measure {

/// Counters of the thread that makes it, which alone may call it. Those that cannot be had here are
/// missing, and why is said; the others count all the same.
class PerfCounters {
 public:
  struct Missing {
    std::string name;
    std::string reason;  ///< a sentence
  };

  PerfCounters();
  ~PerfCounters();
  PerfCounters(const PerfCounters&) = delete;
  PerfCounters& operator=(const PerfCounters&) = delete;

  /// Counts from 0 on.
  void start();
  /// Counts no longer. Name and number of all there are, in the order of the table in
  /// docs/bench-workloads.md.
  [[nodiscard]] std::vector<std::pair<std::string, double>> stop();

  [[nodiscard]] const std::vector<Missing>& missing() const { return missing_; }

 private:
  struct Group {
    std::vector<std::string> names;
    std::vector<int> descriptors;  ///< of the same order; the first one leads
  };
  struct Event;
  static const Event events[];

  void open(const Event& event);
  static bool read(const Group& group, std::vector<std::pair<std::string, double>>& into);

  Group kernel_;     ///< software events and tracepoints: always counted
  Group processor_;  ///< hardware events: all of them at once, or none
  std::vector<Missing> missing_;
};

/// Faults of this thread that needed no device, as getrusage(RUSAGE_THREAD) has them: always there.
[[nodiscard]] std::uint64_t minor_faults();

}  // namespace cow::measure
