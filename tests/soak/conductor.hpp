// Starts the workers, injects shortages and takeovers, and calls for the checks.
#pragma once

#include "soak/options.hpp"

namespace soak {

/// The whole run. Prints, and returns the exit status.
int run(const Options& options);

}  // namespace soak
