#pragma once

#include <string>

#include "mm/space/address_space.hpp"

namespace cow {

/// Checks a whole family and the kernel's view of one of its address spaces, for tests:
/// every count is recounted, every writable entry is the only reference, every mapping is what the
/// page table says. Returns what is wrong, in words, or nothing.
/// Takes the family's lock; nobody else may use the family meanwhile, for this allocates.
/// Cost: O(everything).
std::string check_family(AddressSpace& space);

}  // namespace cow
