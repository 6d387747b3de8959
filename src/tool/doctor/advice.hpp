#pragma once

// What was found, in words: what it means for who uses libcow, and what to do about it. From values
// alone: it asks the system nothing.

#include <string>
#include <vector>

#include "measure/host/findings.hpp"

namespace cow::tool {

/// In the order in which they are printed.
enum class Level {
  refuses,  ///< something cannot be had that libcow needs
  limits,   ///< regions can be had, but not all that libcow offers, or as much as one might want
  note,     ///< worth knowing
  ok,
};

struct Line {
  Level level = Level::ok;
  std::string subject;  ///< "userfaultfd"
  std::string meaning;  ///< a sentence
  std::string remedy;   ///< a sentence; empty only of Level::ok
};

struct Verdict {
  bool can_make_regions = false;
  std::string mechanism;  ///< that Mechanism::automatic takes: "handler", "kernel"; or empty
  std::string why;        ///< it takes that, or no region can be made: sentences
};

[[nodiscard]] std::string_view word_of(Level level);

[[nodiscard]] Verdict verdict(const measure::Findings& findings);

/// The worst first.
[[nodiscard]] std::vector<Line> advise(const measure::Findings& findings);

}  // namespace cow::tool
