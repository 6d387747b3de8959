#include <cow/version.hpp>

namespace cow {

int version() noexcept { return COW_VERSION; }

}  // namespace cow
