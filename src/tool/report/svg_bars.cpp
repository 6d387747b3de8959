// Bars beside names, one below the other: names of any length have room there.

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "tool/report/svg_parts.hpp"

namespace cow::tool {
namespace {

constexpr double bar_height = 9;
constexpr double bar_gap = 2;
constexpr double left = svg_margin + 4;
constexpr double right = svg_width - 62;  // the values stand behind it

const Point* point_of(const Series& series, std::size_t category) {
  for (const Point& point : series.points) {
    if (point.category == category) return &point;
  }
  return nullptr;
}

SvgScale scale_of(const Picture& picture) {
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  for (const Series& series : picture.series) {
    for (const Point& point : series.points) {
      const auto interval = point.interval.value_or(std::make_pair(point.y, point.y));
      low = std::min({low, point.y, interval.first});
      high = std::max({high, point.y, interval.second});
    }
  }
  if (picture.y.scale == Scale::linear) return {Scale::linear, 0, high, left, right};
  for (const Mark& mark : picture.marks) {
    low = std::min(low, mark.x);
    high = std::max(high, mark.x);
  }
  return {Scale::logarithmic, low / 1.2, high * 1.2, left, right};
}

/// What is drawn twice: once to know how high it is, since the grid lies below all else.
struct Layout {
  std::vector<std::vector<std::string>> names;  ///< of categories, in lines
  std::vector<double> tops;                     ///< of the first bar of each
  double bottom = 0;
};

Layout layout_of(const Picture& picture, double top, bool stands_alone) {
  Layout layout;
  for (std::size_t i = 0; i < picture.x.categories.size(); ++i) {
    layout.names.push_back(svg_wrapped(picture.x.categories[i], svg_width - 2 * svg_margin));
    top += static_cast<double>(layout.names.back().size()) * SvgCanvas::line_height;
    layout.tops.push_back(top);
    std::size_t bars = stands_alone ? 1 : 0;
    for (const Series& series : picture.series) {
      if (!stands_alone && point_of(series, i) != nullptr) ++bars;
    }
    top += static_cast<double>(bars) * (bar_height + bar_gap) + 4;
  }
  layout.bottom = top;
  return layout;
}

void draw_names(SvgCanvas& canvas, const Layout& layout) {
  for (std::size_t i = 0; i < layout.names.size(); ++i) {
    const std::vector<std::string>& lines = layout.names[i];
    for (std::size_t l = 0; l < lines.size(); ++l) {
      const double up = static_cast<double>(lines.size() - l) * SvgCanvas::line_height;
      canvas.rect(left + 1, layout.tops[i] - up + 2, svg_text_width(lines[l]), 9, "#ffffff");
      canvas.text(left + 1, layout.tops[i] - up + 9, lines[l]);
    }
  }
}

// A bar has its length from 0. Where the scale has no 0 it is a marker.
void draw_bar(SvgCanvas& canvas, const Picture& picture, const Point& point, const SvgStyle& style,
              const SvgScale& scale, double top) {
  const double middle = top + bar_height / 2;
  const double end = scale.place(point.y);
  double free_from = end;
  const std::string words = point_words(point, picture.y.unit);
  if (picture.y.scale == Scale::linear) {
    canvas.open("point");
    canvas.rect(left, top, end - left, bar_height, style.is_hollow ? "#ffffff" : style.colour,
                style.colour, words);
    canvas.close();
  } else {
    free_from += 3;
  }
  if (point.interval.has_value()) {
    const double low = scale.place(point.interval->first);
    const double high = scale.place(point.interval->second);
    canvas.line(low, middle, high, middle, "#000000", 0.8);
    canvas.line(low, middle - 2, low, middle + 2, "#000000", 0.8);
    canvas.line(high, middle - 2, high, middle + 2, "#000000", 0.8);
    free_from = std::max(free_from, high);
  }
  if (picture.y.scale == Scale::logarithmic) canvas.marker(end, middle, style, words);
  canvas.text(free_from + 4, top + bar_height - 1.5, value_words(point.y, picture.y.unit));
}

void draw_grid(SvgCanvas& canvas, const Picture& picture, const SvgScale& scale, double top,
               double bottom) {
  draw_x_axis(canvas, picture.y, scale, top, bottom);
  for (const Mark& mark : picture.marks) {
    const double x = scale.place(mark.x);
    canvas.line(x, top, x, bottom, svg_axis_colour, 1);
  }
}

}  // namespace

void draw_bars(SvgSheet& sheet, const Picture& picture) {
  if (picture.series.size() > 1)
    draw_legend(sheet, picture, picture.y.scale == Scale::linear ? Sample::box : Sample::line);
  const SvgScale scale = scale_of(picture);
  const Layout layout = layout_of(picture, sheet.top + 2, false);
  const std::vector<SvgStyle> styles = styles_of(picture);
  draw_grid(sheet.canvas, picture, scale, sheet.top, layout.bottom);
  draw_names(sheet.canvas, layout);
  for (std::size_t i = 0; i < picture.x.categories.size(); ++i) {
    double top = layout.tops[i];
    for (std::size_t s = 0; s < picture.series.size(); ++s) {
      const Point* point = point_of(picture.series[s], i);
      if (point == nullptr) continue;
      draw_bar(sheet.canvas, picture, *point, styles[s], scale, top);
      top += bar_height + bar_gap;
    }
  }
  sheet.top = layout.bottom + 26;
}

void draw_stack(SvgSheet& sheet, const Picture& picture) {
  draw_legend(sheet, picture, Sample::box);
  const std::size_t count = picture.x.categories.size();
  std::vector<double> sums(count, 0.0);
  for (const Series& series : picture.series) {
    for (const Point& point : series.points) sums[point.category] += point.y;
  }
  const double most = *std::max_element(sums.begin(), sums.end());
  const SvgScale scale(Scale::linear, 0, most, left, right);
  const Layout layout = layout_of(picture, sheet.top + 2, true);
  const std::vector<SvgStyle> styles = styles_of(picture);
  const std::vector<std::size_t> places = name_places(picture);
  draw_grid(sheet.canvas, picture, scale, sheet.top, layout.bottom);
  draw_names(sheet.canvas, layout);
  for (std::size_t i = 0; i < count; ++i) {
    double sum = 0;
    for (std::size_t s = 0; s < picture.series.size(); ++s) {
      const Point* point = point_of(picture.series[s], i);
      if (point == nullptr) continue;
      const double from = scale.place(sum);
      sum += point->y;
      const double width = scale.place(sum) - from;
      sheet.canvas.open("point");
      sheet.canvas.rect(from, layout.tops[i], width, bar_height, styles[s].colour, "#ffffff",
                        picture.series[s].title + ": " + point_words(*point, picture.y.unit));
      sheet.canvas.close();
      // Which part it is can be read without colours.
      const std::string letter(1, static_cast<char>('a' + places[s] % 26));
      if (width < svg_text_width(letter) + 3) continue;
      sheet.canvas.rect(from + 1.5, layout.tops[i] + 1, svg_text_width(letter) + 1, bar_height - 2,
                        "#ffffff");
      sheet.canvas.text(from + 2, layout.tops[i] + bar_height - 2, letter);
    }
    sheet.canvas.text(scale.place(sum) + 4, layout.tops[i] + bar_height - 1.5,
                      value_words(sum, picture.y.unit));
  }
  sheet.top = layout.bottom + 26;
}

}  // namespace cow::tool
