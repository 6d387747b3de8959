#pragma once

#include <cstddef>
#include <string>

#include "demo/record/step.hpp"
#include "demo/view/canvas.hpp"

namespace cow::demo {

/// Rows that `regions` regions and their frames take, `pitch` rows from one region to the next. It
/// is the same for every step with so many, so that nothing moves but what changes.
[[nodiscard]] std::size_t memory_rows(std::size_t regions, std::size_t pitch) noexcept;

/// Draws regions and frames from `row` on.
void draw_memory(Canvas& canvas, const Step& step, std::size_t row, std::size_t pitch);

/// "s" for shared, and so on: a page's state in one letter, for who sees no colours.
[[nodiscard]] char letter_of(PageLook look) noexcept;
[[nodiscard]] Ink ink_of(PageLook look) noexcept;

/// From one page to the next at least: a number, a letter, and room for lines.
inline constexpr std::size_t least_pitch = 7;

/// Columns of the names on the left.
[[nodiscard]] std::size_t name_columns(std::size_t columns) noexcept;

}  // namespace cow::demo
