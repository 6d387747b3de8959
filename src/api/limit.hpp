#pragma once

namespace cow {

/// After fork(), in the child: its families have no limits, and it has no thread that looks at any.
void forget_limits() noexcept;

}  // namespace cow
