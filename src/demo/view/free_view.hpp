#pragma once

#include "demo/chapters/chapter.hpp"
#include "demo/record/step.hpp"
#include "demo/view/full_screen.hpp"

namespace cow::demo {

/// Free play on a screen: a cursor on one page, and a key for each thing that can be done there.
/// Whether somebody wants the menu afterwards, else it is the end.
[[nodiscard]] bool play_freely(FullScreen& screen, const Chapter& chapter,
                               const ChapterOptions& options, Recording& recording);

}  // namespace cow::demo
