#pragma once

// The figures to reach for objects in a region.

#include "target_rows.hpp"

namespace cow_bench {

/// Cloning a region with a large map and looking some of it up, against copying the map.
[[nodiscard]] Group clone_of_objects();

/// A map in a region with nothing shared, against the same map in plain memory.
[[nodiscard]] Group map_in_a_region();

}  // namespace cow_bench
