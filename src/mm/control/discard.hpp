#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// The pages of `span` show zeros. What nobody else shows or keeps goes back to the kernel, in
/// pieces (see leaving.hpp), but for frames that were reserved or are leased. Takes the family's
/// lock. Throws std::system_error with everything as it was.
void discard_pages(AddressSpace& space, PageSpan span);

}  // namespace cow
