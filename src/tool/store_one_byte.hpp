#pragma once

#include <cstddef>

namespace cow::tool {

/// The store that the demo watches. In a file and a function of its own, never inlined, so that
/// the instruction pointer of its page fault belongs to a function with a name.
[[gnu::noinline]] void store_one_byte(volatile std::byte* address, std::byte value);

}  // namespace cow::tool
