#pragma once

// One figure as a measurement of two sides that take turns: what `targets` and `ahead` are made of.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "samples.hpp"
#include "session.hpp"

namespace cow_bench {

enum class Unit { nanoseconds, frames, bytes, mappings };

/// One comparison.
struct Row {
  std::string what;
  std::string ours;    ///< what libcow's side does
  std::string theirs;  ///< what it is compared with
  Unit unit = Unit::nanoseconds;
  Samples our_samples{};
  Samples their_samples{};
  std::optional<double> most{};     ///< the ratio to reach; without one the row is there to compare
  std::optional<double> at_most{};  ///< what our own median is to reach, in `unit`, instead
  std::string note{};
  std::string left_out{};  ///< why it could not be measured here; empty if it was

  [[nodiscard]] double ratio() const { return our_samples.median() / their_samples.median(); }
  [[nodiscard]] bool has_reach() const { return most || at_most; }
  [[nodiscard]] bool is_met() const {
    return (!most || ratio() <= *most) && (!at_most || our_samples.median() <= *at_most);
  }
};

/// Rows measured together, and the parts of a fault where they belong to it.
struct Group {
  std::vector<Row> rows;
  std::vector<std::pair<std::string, double>> fault_parts_ns{};
};

struct NamedGroup {
  std::string_view name;
  Group (*measure)();
};

/// Calls the sides in turn, A B A B …, so that whatever slows the machine down meets both. The
/// first turn of each is a rehearsal that no sample comes from.
template <typename Side, typename... Sides>
void take_turns(std::size_t rounds, const Side& side, const Sides&... sides) {
  for (std::size_t round = 0; round <= rounds; ++round) {
    side(round > 0);
    (sides(round > 0), ...);
  }
}

inline void keep(bool wanted, Samples& samples, double value) {
  if (wanted) {
    samples.add(value);
  }
}

[[nodiscard]] inline std::size_t rounds(std::size_t full) {
  return full_or_quick<std::size_t>(full, 2);
}

}  // namespace cow_bench
