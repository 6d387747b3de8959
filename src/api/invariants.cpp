#include "mm/space/invariants.hpp"

#include "api/invariants.hpp"
#include "api/region_state.hpp"

namespace cow::detail {

std::string check_invariants(const Region& region) { return check_family(region.state().space()); }

}  // namespace cow::detail
