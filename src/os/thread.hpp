#pragma once

namespace cow::os {

/// Does nothing for a moment, some 0.1 ms: for a thread that takes one of the kernel's locks again
/// and again, which others would get only when they have slept for some milliseconds.
void rest() noexcept;

/// The same for 10 ms: for who waits for the rest of the program. Signal context: yes.
void rest_longer() noexcept;

/// Whether this process has no thread but the calling one, as far as libc knows: it may go on to
/// say no when all others have ended, and does not know of threads made by a raw clone system call.
bool is_only_thread() noexcept;

}  // namespace cow::os
