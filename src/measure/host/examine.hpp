#pragma once

#include "measure/host/findings.hpp"

namespace cow::measure {

/// Finds out what is allowed here, by trying. Takes less than a second, and changes nothing. To be
/// called before libcow has installed a handler, so that it sees whose SIGSEGV is. What it tries
/// may be refused, or kill who tries it: that is a child.
[[nodiscard]] Findings examine();

}  // namespace cow::measure
