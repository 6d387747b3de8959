#pragma once

// The figures libcow had to reach first: what a clone, a snapshot, a fault and a private page cost.

#include <vector>

#include "comparison.hpp"

namespace cow_bench {

[[nodiscard]] const std::vector<NamedGroup>& target_groups();

}  // namespace cow_bench
