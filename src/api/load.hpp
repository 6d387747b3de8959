#pragma once

#include <cow/image.hpp>

#include <memory>
#include <vector>

#include "api/image_format.hpp"
#include "api/region_state.hpp"

namespace cow {

/// Which pages of a complete image are mapped with LoadMode::mapped: a file in memory takes memory
/// for each page that is looked at, also if it never held anything.
enum class MappedPages { all, up_to_end_of_data };

/// A region of a complete image and its deltas, which belong together. `call` is who asks, for
/// sentences. Throws std::system_error, std::invalid_argument.
std::shared_ptr<detail::RegionState> load_images(std::vector<ImageFile> chain,
                                                 const LoadOptions& options, MappedPages pages,
                                                 const char* call);

}  // namespace cow
