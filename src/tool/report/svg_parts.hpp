#pragma once

// What the kinds of pictures share as SVG. They are put together from top to bottom.

#include <string>
#include <vector>

#include "tool/report/picture.hpp"
#include "tool/report/svg_canvas.hpp"
#include "tool/report/svg_scale.hpp"

namespace cow::tool {

inline constexpr double svg_width = 360;
inline constexpr double svg_margin = 8;
inline constexpr const char* svg_grid_colour = "#d9d9d9";
inline constexpr const char* svg_axis_colour = "#404040";

/// A picture half drawn: everything above `top` is done.
struct SvgSheet {
  SvgCanvas canvas{};
  double top = svg_margin;
};

/// One style for each series, the same for the same mechanism.
[[nodiscard]] std::vector<SvgStyle> styles_of(const Picture& picture);

/// For each series the place of its name among the different names.
[[nodiscard]] std::vector<std::size_t> name_places(const Picture& picture);

enum class Sample { line, step, box };

void draw_title(SvgSheet& sheet, const Picture& picture);
void draw_legend(SvgSheet& sheet, const Picture& picture, Sample sample);

/// "time, ms": what an axis shows, and in what.
[[nodiscard]] std::string axis_words(const Axis& axis, const SvgScale& scale);

/// Lines and numbers of the x axis between `top` and `bottom`, and what it shows below them.
void draw_x_axis(SvgCanvas& canvas, const Axis& axis, const SvgScale& scale, double top,
                 double bottom);

/// "12.3 ms", "0.05".
[[nodiscard]] std::string value_words(double value, const std::string& unit);

/// For the text that a browser shows above a point.
[[nodiscard]] std::string point_words(const Point& point, const std::string& unit);

void draw_lines(SvgSheet& sheet, const Picture& picture);
void draw_bars(SvgSheet& sheet, const Picture& picture);
void draw_stack(SvgSheet& sheet, const Picture& picture);
void draw_histogram(SvgSheet& sheet, const Picture& picture);
void draw_heat(SvgSheet& sheet, const Picture& picture);

}  // namespace cow::tool
