#pragma once

#include <cstddef>

#include <cow/region.hpp>

#include "demo/chapters/chapter.hpp"

namespace cow::demo {

/// One page a fault, and libcow's own handler: what is shown is then all that happens.
[[nodiscard]] RegionOptions one_page_a_fault();

/// A region with the lecturer's file in it, or with as many pages as are shown, each of a letter of
/// its own. The scene shows it around `page`.
Region& add_original(Recorder& recorder, const ChapterOptions& options, const std::string& name,
                     std::size_t page);

/// The same with letters, whatever file the lecturer has.
Region& add_letters(Recorder& recorder, const ChapterOptions& options, const std::string& name,
                    std::size_t page);

/// The page that the lecturer chose, or `otherwise`. Throws tool::ToolError where there is none.
[[nodiscard]] std::size_t page_to_store_to(const ChapterOptions& options, std::size_t otherwise);

/// Pages of `region`, the last one perhaps in part.
[[nodiscard]] std::size_t page_count(const Region& region);

}  // namespace cow::demo
