#pragma once

namespace cow {

/// After fork(), in the child: a FaultRecorder records the process that made it.
void forget_recorder() noexcept;

}  // namespace cow
