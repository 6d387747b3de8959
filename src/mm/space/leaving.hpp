#pragma once

#include <cstdint>
#include <span>

#include "mm/space/family.hpp"

namespace cow {

/// How regions, snapshots and children go. What they leave may be gigabytes, and stores of the
/// whole family wait for whoever holds its lock, stores of the whole process for whoever changes
/// large mappings. So all of it is given back in pieces (see Piece), and whoever waited for the
/// lock gets it before the next piece begins.
///
/// Between two pieces a family is whole: a table that is being given up is a LeavingTable, a home
/// that is being closed is Extent::closing. fork() may come between, on another thread: the child
/// forgets both. None of this is for the fault handler; all of it takes the family's lock, and the
/// caller has signals masked from the first piece to the last, so that no handler of its own thread
/// finds it half done.

/// What ProcessStats::bytes_in_use counts of a family. The caller holds its lock. Throws
/// std::system_error.
[[nodiscard]] std::size_t bytes_in_use(Family& family);
/// Memory was given back by a control call: whoever waits for it to fall below a limit is called.
/// The caller holds the family's lock. Costs nothing unless a limit was reached.
void look_at_limit(Family& family) noexcept;

/// Calls `step(Piece&)` with the family's lock held until it returns true.
template <class Step>
void in_pieces(Family& family, const Step& step) {
  for (;;) {
    const Hold hold(family);
    Piece piece(family.geometry());
    if (!step(piece)) continue;
    look_at_limit(family);
    return;
  }
}

/// Gives up the addresses of `space`, whose table has begun to leave, and what they show.
void give_up_addresses(AddressSpace& space) noexcept;
/// Gives up all that a table references that has begun to leave; then it has left.
void give_up_table(Family& family, LeavingTable& leaving) noexcept;
/// The same for a snapshot's, which begins to leave if it has not yet, with what is to be given
/// back afterwards. Returns how many frames went with it, beside what others did meanwhile.
std::uint64_t give_up(Family& family, KeptTable& kept) noexcept;
/// Closes homes whose owner has begun to close them.
void close_homes(Family& family, std::span<const ExtentId> homes) noexcept;
/// Gives up what was kept for a child process that has ended.
void give_up_held(Family& family, std::uint64_t child) noexcept;

/// Gives back recycled frames beyond the bounds, and what was inherited and nobody shows any more.
void give_back_surplus(Family& family) noexcept;
/// Gives back recycled frames until there are no more than `frames`.
void give_back_recycled_beyond(Family& family, std::uint64_t frames) noexcept;
/// Gives back all recycled frames. Returns how many.
std::uint64_t give_back_all_recycled(Family& family) noexcept;

}  // namespace cow
