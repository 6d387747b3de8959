#pragma once

// One figure as a measurement of two sides that take turns: what `targets` and `ahead` are made of.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "measure/engine/order.hpp"
#include "measure/result.hpp"
#include "samples.hpp"
#include "session.hpp"
#include "turns.hpp"

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
  std::vector<cow::measure::NamedSamples> fault_parts_ns{};  ///< of the first row's our side
};

struct NamedGroup {
  std::string_view name;
  Group (*measure)();
};

/// One for the whole program: the same in each run.
[[nodiscard]] inline cow::measure::Order& order_of_turns() {
  static cow::measure::Order order(1);
  return order;
}

/// Every side once in each round, in another order each time, so that whatever slows the machine
/// down, and whatever one side leaves to the next, meets all of them. The first turn of each is a
/// rehearsal that no sample comes from. `turn` is how many rounds have begun: what sides that do
/// the same in the same round go by.
template <typename... Sides>
void take_numbered_turns(std::size_t rounds, std::uint64_t& turn, const Sides&... sides) {
  const std::array<std::function<void(bool)>, sizeof...(sides)> all = {std::cref(sides)...};
  for (std::size_t round = 0; round <= rounds; ++round) {
    ++turn;
    for (const std::size_t side : order_of_turns().next(all.size())) all[side](round > 0);
  }
}

template <typename... Sides>
void take_turns(std::size_t rounds, const Sides&... sides) {
  std::uint64_t turn = 0;
  take_numbered_turns(rounds, turn, sides...);
}

inline void keep(bool wanted, Samples& samples, double value) {
  if (wanted) {
    samples.add(value);
  }
}

}  // namespace cow_bench
