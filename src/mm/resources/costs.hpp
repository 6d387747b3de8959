#pragma once

#include <atomic>
#include <cstdint>

namespace cow {

/// What a control call took lately: a floor, and so much for each unit of what it touches. Begins
/// with measured constants and follows what the calls themselves report. Thread safe: a report may
/// be lost to another one of the same moment.
class CostAverage {
 public:
  constexpr CostAverage(double floor_ns, double unit_ns) noexcept
      : floor_ns_(floor_ns), unit_ns_(unit_ns) {}

  [[nodiscard]] double estimate_ns(std::uint64_t units) const noexcept {
    return floor_ns() + static_cast<double>(units) * unit_ns();
  }
  /// A call that touched `units` took so long.
  void note(std::uint64_t units, std::uint64_t took_ns) noexcept;

  [[nodiscard]] double floor_ns() const noexcept {
    return floor_ns_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] double unit_ns() const noexcept { return unit_ns_.load(std::memory_order_relaxed); }
  /// How often note() was called.
  [[nodiscard]] std::uint64_t notes() const noexcept {
    return notes_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<double> floor_ns_;
  std::atomic<double> unit_ns_;
  std::atomic<std::uint64_t> notes_{0};
};

/// Of one mechanism, in this process. It begins with what holds until calls have told: the medians
/// of what three runs had learnt from 300 calls of each kind after 0, 8 and 40 random stores to
/// 64 MiB, in a virtual machine with two busy cores (docs/history.md), there a page to restore was
/// a run by itself; of backups, 15 each of 0 to 256 MiB to ext4 on the same.
struct Costs {
  CostAverage snapshot;  ///< leaves with writable pages, and pages copied: see touched.hpp
  CostAverage clone;     ///< beside that of a snapshot: mappings
  CostAverage restore;   ///< pages that differ, and their runs: see touched.hpp
  CostAverage drop;      ///< frames given back
  CostAverage backup;    ///< to a path, with its cut: pages written
};

}  // namespace cow
