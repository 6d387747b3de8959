#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// The pages of `span` show zeros. True if they became zero pages, and the caller gives up what the
/// table says; false if their frames were cleared, or there were none. The caller holds the
/// family's lock. Throws std::system_error with everything as it was.
[[nodiscard]] bool show_zeros(AddressSpace& space, PageSpan span);

}  // namespace cow
