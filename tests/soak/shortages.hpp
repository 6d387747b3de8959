// Resources that run out for a moment, so that control calls throw.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "eaten_mappings.hpp"
#include "soak/gate.hpp"

namespace soak {

class Shortages {
 public:
  /// Held shared by whoever forks: a child that cannot get what it needs has nobody to tell.
  Gate limits;

  /// Changes whenever a shortage begins or ends.
  using Moment = std::uint64_t;
  [[nodiscard]] Moment now() const { return moment_.load(); }
  /// Whether there was a shortage at some time between that moment and now.
  [[nodiscard]] bool any_since(Moment before) const { return before % 2 == 1 || now() != before; }

  // Each lasts a moment and returns what was wrong, or nothing. One thread's business.

  /// No file can be opened: create must say so.
  [[nodiscard]] std::string of_descriptors();
  /// No address range can be mapped: create must say so. To be called while the workers rest, as
  /// the limit must not fall below what is mapped already; `resume` lets them go on.
  [[nodiscard]] std::string of_addresses(const std::function<void()>& resume);
  /// Somebody else eats the kernel's mappings up to `spared`; no store may fail.
  void of_mappings(std::size_t spared);

  /// Somebody else eats the kernel's mappings up to `spared` and keeps them, and libcow counts
  /// again. No shortage to anybody: nothing may fail for the mappings that libcow itself uses. To
  /// be called while the workers rest, as for a moment there are no mappings at all.
  void begin_small_budget(std::size_t spared);
  void end_small_budget();
  [[nodiscard]] bool has_small_budget() const { return eaten_ != nullptr; }

  /// Whether this build and machine can live with each of them.
  [[nodiscard]] static bool can_lack_descriptors();
  [[nodiscard]] static bool can_lack_addresses();
  [[nodiscard]] static bool can_lack_mappings();

 private:
  class Shortage;

  std::unique_ptr<support::EatenMappings> eaten_;
  std::atomic<Moment> moment_{0};  // odd while something is short
};

}  // namespace soak
