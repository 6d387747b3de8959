#pragma once

#include <optional>
#include <vector>

#include "demo/chapters/chapter.hpp"
#include "demo/view/full_screen.hpp"

namespace cow::demo {

/// How a lecture is shown.
struct PlayOptions {
  ChapterOptions chapter;
  bool asks = true;
  std::optional<int> pace_ms;  ///< goes on by itself after so long
};

/// Shows chapters on a whole screen, driven by keys, beginning with `first` or with a menu. Returns
/// what happened in each chapter. Throws what a chapter throws.
[[nodiscard]] std::vector<Recording> play(FullScreen& screen, const Chapter* first,
                                          const PlayOptions& options);

}  // namespace cow::demo
