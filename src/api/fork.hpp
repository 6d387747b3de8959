#pragma once

namespace cow {

/// fork() and regions. Frames are mapped shared, so without more ado parent and child would write
/// into each other's memory. Before a fork every page is write-protected and every page table is
/// kept as it is for the child; afterwards both sides copy a page at their first store to it, the
/// child into a frame file of its own. The parent keeps what a child may still read until the
/// child, and its children, have exited or called exec.
///
/// vfork() and posix_spawn() run no hooks and need none: their child touches no region before it
/// calls exec. A child made by clone(2) directly, past libc, must not touch regions.

/// Starts to watch for forks (once), and gives back what was kept for children that are gone. Asks
/// some of them whether they are, and others the next time. Part of every control call. Throws
/// std::system_error.
void follow_forks();
/// Gives back what was kept for all children that are gone. Cost: O(children).
void reap_all_children() noexcept;

}  // namespace cow
