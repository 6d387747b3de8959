#pragma once

namespace cow::os {

/// Calls `work(argument)` on a stack of its own, and returns when that has returned. For what
/// cannot be done on a stack whose pages may refuse stores. Ends the process if there is no memory
/// for it. Cost: some system calls.
void call_on_other_stack(void (*work)(void*) noexcept, void* argument) noexcept;

}  // namespace cow::os
