#pragma once

#include <cow/options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "mm/space/family.hpp"

namespace cow {

/// A family of regions of `size_bytes`. `call` is who asks, for sentences. Throws
/// std::invalid_argument for options that cannot be meant, std::system_error.
std::shared_ptr<Family> new_family(std::uint64_t size_bytes, const RegionOptions& options,
                                   const char* call);

/// Throws std::invalid_argument where a region that `call` makes is to grow.
void refuse_growth(const RegionOptions& options, const char* call);

}  // namespace cow
