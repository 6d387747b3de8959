#pragma once

#include "mm/family.hpp"

namespace cow {

/// What every control call sees to first: that faults reach us, and that frames kept for child
/// processes that are gone are given back. Throws std::system_error.
void begin_control_call();

/// The same, and that the call on a member of `family` can be carried out at all: check_callable()
/// and check_files().
void begin_control_call(Family& family);

/// Throws std::logic_error on a stack inside one of the family's regions: storing to that stack
/// would fault while the family's lock is held. Throws std::system_error in a child that fork() had
/// to leave without regions.
void check_callable(Family& family);

/// Throws std::system_error if the program has closed the descriptors of the family's frame files.
void check_files(Family& family);

}  // namespace cow
