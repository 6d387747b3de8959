#pragma once

// Sides of a comparison made of the mechanisms of measure/mechanisms.

#include <functional>
#include <memory>
#include <vector>

#include "measure/experiment.hpp"
#include "measure/mechanisms/mechanism.hpp"

namespace cow::measure {

/// How a turn of this memory is measured.
using TurnOf = std::function<Turn(const std::shared_ptr<Memory>& memory)>;

/// Made in the side's own process: first it is asked why the mechanism cannot be had, which is then
/// why the row is skipped.
[[nodiscard]] Side side_of(const Mechanism& mechanism, const MemoryOptions& options, TurnOf turn);

/// The same of a mechanism that cannot do what is measured, whatever the system.
[[nodiscard]] Side side_without(const Mechanism& mechanism, std::string why);

/// The same of one that may have no way back, and then says so.
[[nodiscard]] Side side_that_goes_back(const Mechanism& mechanism, const MemoryOptions& options,
                                       const TurnOf& turn);

/// One of all mechanisms.
[[nodiscard]] std::vector<Side> sides_of_all(const MemoryOptions& options, const TurnOf& turn);
/// The same; those whose stores are gone after end() say that they are.
[[nodiscard]] std::vector<Side> sides_that_keep(const MemoryOptions& options, const TurnOf& turn);
/// The same; those that cannot go back say so.
[[nodiscard]] std::vector<Side> sides_that_go_back(const MemoryOptions& options,
                                                   const TurnOf& turn);

}  // namespace cow::measure
