#pragma once

// One comparison: its sides are prepared, take turns, and end.

#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "measure/engine/order.hpp"
#include "measure/engine/side_nursery.hpp"
#include "measure/experiment.hpp"
#include "measure/result.hpp"

namespace cow::measure {

struct TurnLimits {
  double share_s = 1;                     ///< of the time; the least turns are taken all the same
  std::optional<double> most_s;           ///< but not when this is over, except the first
  std::optional<std::size_t> most_turns;  ///< fewer than the comparison says, least or most
  std::size_t most_samples = 100'000;     ///< of a row: no turn after that
  double turn_s = 60;                     ///< a turn that takes longer has failed
  std::optional<int> processor;           ///< that sides without company are pinned to
  SideNursery* nursery = nullptr;         ///< that makes the sides; none: this process does
  std::function<bool()> is_stopped;
  std::function<void(double done)> progress;  ///< between turns; 0 to 1
};

/// A row of each side. Where it was stopped, those that have no sample are missing.
[[nodiscard]] std::vector<Row> take_turns(std::string_view experiment, const Comparison& comparison,
                                          const TurnLimits& limits, Order& order);

/// The rows of a comparison of which nothing was measured.
[[nodiscard]] std::vector<Row> rows_without(std::string_view experiment,
                                            const Comparison& comparison, Status status,
                                            const std::string& reason);

}  // namespace cow::measure
