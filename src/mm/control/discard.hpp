#pragma once

#include "mm/space/address_space.hpp"

namespace cow {

/// The pages of `span` show zeros. What nobody else shows or keeps goes back to the kernel, in
/// pieces (see leaving.hpp), but for frames that were reserved or are leased. Takes the family's
/// lock. Throws std::system_error with everything as it was. False, and nothing is done, where a
/// backup keeps a limit and has not saved them: it may have begun since let_backup_go_first().
[[nodiscard]] bool discard_pages(AddressSpace& space, PageSpan span);

}  // namespace cow
