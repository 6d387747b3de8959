#pragma once

#include <cstddef>
#include <string>

#include "demo/record/step.hpp"
#include "demo/view/canvas.hpp"

namespace cow::demo {

/// Draws regions and frames from `row` on, with `room` rows to use at most; the row below.
std::size_t draw_memory(Canvas& canvas, const Step& step, std::size_t row, std::size_t room);

/// "s" for shared, and so on: a page's state in one letter, for who sees no colours.
[[nodiscard]] char letter_of(PageLook look) noexcept;
[[nodiscard]] Ink ink_of(PageLook look) noexcept;

/// Columns of the names on the left.
[[nodiscard]] std::size_t name_columns(std::size_t columns) noexcept;

}  // namespace cow::demo
