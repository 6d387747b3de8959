#pragma once

#include <cstddef>
#include <string>

#include "demo/record/step.hpp"
#include "demo/view/canvas.hpp"

namespace cow::demo {

/// What stands around a step.
struct Caption {
  std::string chapter;
  std::size_t number = 1;   ///< of the step, from 1
  std::size_t newest = 1;   ///< the number of the last one that has happened
  bool is_the_end = false;  ///< nothing comes after the newest
  bool asks = true;         ///< answers are shown where something was asked
  bool shows_answer = false;
  std::string keys;  ///< the last line
};

/// The least that a step can be drawn on.
inline constexpr std::size_t least_rows = 24;
inline constexpr std::size_t least_columns = 80;

/// Draws the step: regions as rows of pages, frames below them, lines between the page in question
/// and the frames it has in each region, and what is to be said. False if that had too little room.
bool draw_step(Canvas& canvas, const Step& step, const Caption& caption);

/// How many pages in a row fit.
[[nodiscard]] std::size_t pages_that_fit(std::size_t columns);

}  // namespace cow::demo
