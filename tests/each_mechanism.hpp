#pragma once

// A claim about each mechanism that cow bench measures, in a process of its own: their handlers of
// signals are the process's.

#include <functional>
#include <string>

#include "catch.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "support.hpp"

namespace support {

/// `complaint_about` is called in a child, and returns what is wrong, or nothing. What cannot be
/// had here is said, not checked.
inline void check_each_mechanism(
    const std::function<std::string(const cow::measure::Mechanism&)>& complaint_about) {
  for (const cow::measure::Mechanism& mechanism : cow::measure::mechanisms()) {
    const auto done = run_in_child([&]() -> std::string {
      if (const std::string why = mechanism.why_not(); !why.empty()) return "skipped: " + why;
      return complaint_about(mechanism);
    });
    INFO(mechanism.name << ": " << done.complaint);
    if (done.complaint.starts_with("skipped: ")) {
      WARN(mechanism.name << " " << done.complaint);
      continue;
    }
    CHECK(done.exited());
    CHECK(done.complaint.empty());
  }
}

}  // namespace support
