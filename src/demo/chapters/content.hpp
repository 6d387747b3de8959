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

/// The same around the page to store to, which is returned: the lecturer's, or the one in the
/// middle of those that are shown, or the last one of a region that has fewer. Throws
/// tool::ToolError where there is no such page.
std::size_t add_original_to_store_to(Recorder& recorder, const ChapterOptions& options,
                                     const std::string& name);

/// Pages of `region`, the last one perhaps in part.
[[nodiscard]] std::size_t page_count(const Region& region);

}  // namespace cow::demo
