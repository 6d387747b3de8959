#include "tool/store_one_byte.hpp"

namespace cow::tool {

void store_one_byte(volatile std::byte* address, std::byte value) { *address = value; }

}  // namespace cow::tool
