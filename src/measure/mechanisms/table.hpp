#pragma once

// The mechanisms of this folder, each defined in the file of its name.

#include "measure/mechanisms/mechanism.hpp"

namespace cow::measure::table {

extern const Mechanism eager;
extern const Mechanism handler;
extern const Mechanism kernel;
extern const Mechanism fork;
extern const Mechanism private_file;
extern const Mechanism boost_private;
extern const Mechanism uffd_signal;
extern const Mechanism uffd_thread;
extern const Mechanism mprotect;

/// Of mechanisms that every Linux has.
[[nodiscard]] inline std::string always() { return {}; }

}  // namespace cow::measure::table
