#pragma once

#include <cstddef>
#include <optional>

#include "demo/view/full_screen.hpp"

namespace cow::demo {

/// Lets somebody choose one of the chapters; nothing if they quit.
[[nodiscard]] std::optional<std::size_t> choose_chapter(FullScreen& screen, std::size_t first);

/// The keys and the letters of pages, until a key is pressed.
void show_help(FullScreen& screen);

[[nodiscard]] bool is_too_small(const Canvas& canvas);
/// In as few words as fit.
void draw_too_small(Canvas& canvas);

/// For tests: what the pages look like.
void draw_menu(Canvas& canvas, std::size_t chosen);
void draw_help(Canvas& canvas);

}  // namespace cow::demo
