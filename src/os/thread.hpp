#pragma once

namespace cow::os {

/// Lets other threads run. Signal context: yes.
void yield_processor() noexcept;

}  // namespace cow::os
