#pragma once

// What rounds of snapshots and rounds of going back have in common: their workloads, and the rounds
// before the first turn.

#include <cstdint>
#include <string>
#include <vector>

#include "measure/experiments/sides.hpp"
#include "measure/experiments/workload.hpp"

namespace cow::measure {

/// Times one round, of the pages that `round` has for that number.
using TimeRound = TurnResult (*)(Memory& memory, const RoundPages& round, std::uint64_t number);

/// One comparison for each of every_round(), against fork().
[[nodiscard]] std::vector<Comparison> comparisons_of_rounds(
    const Scale& scale, const std::string& sample,
    std::vector<Side> (*sides)(const MemoryOptions& options, const TurnOf& turn), TimeRound time);

}  // namespace cow::measure
