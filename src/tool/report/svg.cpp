#include "tool/report/svg.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tool/report/mechanism_names.hpp"
#include "tool/report/svg_parts.hpp"

namespace cow::tool {

std::vector<std::size_t> name_places(const Picture& picture) {
  std::vector<std::string> names;
  std::vector<std::size_t> places;
  for (const Series& series : picture.series) {
    const auto found = std::find(names.begin(), names.end(), series.name);
    places.push_back(static_cast<std::size_t>(found - names.begin()));
    if (found == names.end()) names.push_back(series.name);
  }
  return places;
}

std::vector<SvgStyle> styles_of(const Picture& picture) {
  const bool has_more_results = std::any_of(picture.series.begin(), picture.series.end(),
                                            [](const Series& series) { return series.result > 0; });
  // A mechanism looks the same in every picture.
  const bool are_mechanisms =
      std::all_of(picture.series.begin(), picture.series.end(),
                  [](const Series& series) { return is_known_mechanism(series.name); });
  const std::vector<std::size_t> places = name_places(picture);
  std::vector<SvgStyle> styles;
  for (std::size_t i = 0; i < picture.series.size(); ++i) {
    const std::size_t place = are_mechanisms ? mechanism_order(picture.series[i].name) : places[i];
    styles.push_back(svg_style(place, picture.series[i].result, has_more_results));
  }
  return styles;
}

void draw_title(SvgSheet& sheet, const Picture& picture) {
  for (const std::string& line : svg_wrapped(picture.title, svg_width - 2 * svg_margin, true)) {
    sheet.top += SvgCanvas::line_height;
    sheet.canvas.text(svg_margin, sheet.top - 3, line, Anchor::start, true);
  }
  sheet.top += 3;
}

void draw_legend(SvgSheet& sheet, const Picture& picture, Sample sample) {
  const std::vector<SvgStyle> styles = styles_of(picture);
  const std::vector<std::size_t> places = name_places(picture);
  const bool is_stack = picture.kind == PictureKind::stack;
  constexpr double sample_width = 20;
  double x = svg_margin;
  double y = sheet.top + SvgCanvas::line_height - 3;
  sheet.canvas.open("legend");
  for (std::size_t i = 0; i < picture.series.size(); ++i) {
    // The parts of a second result are those of the first.
    if (is_stack && std::find(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(i),
                              places[i]) != places.begin() + static_cast<std::ptrdiff_t>(i)) {
      continue;
    }
    std::string words = picture.series[i].title;
    if (is_stack) words = fmt::format("{} {}", static_cast<char>('a' + places[i] % 26), words);
    const double width = sample_width + 4 + svg_text_width(words) + 8;
    if (x > svg_margin && x + width > svg_width) {
      x = svg_margin;
      y += SvgCanvas::line_height;
    }
    if (sample == Sample::box) {
      const bool is_hollow = styles[i].is_hollow && !is_stack;
      sheet.canvas.rect(x + 8, y - 7, 10, 7, is_hollow ? "#ffffff" : styles[i].colour,
                        styles[i].colour);
    } else {
      const SvgStyle& style = styles[i];
      sheet.canvas.path({{x, y - 3}, {x + sample_width, y - 3}}, style);
      if (sample == Sample::line) sheet.canvas.marker(x + sample_width / 2, y - 3, style, words);
    }
    sheet.canvas.text(x + sample_width + 4, y, words);
    x += width;
  }
  sheet.canvas.close();
  sheet.top = y + 5;
}

std::string axis_words(const Axis& axis, const SvgScale& scale) {
  const std::string unit = scale.unit_of_labels(axis.unit);
  return unit.empty() ? axis.title : fmt::format("{}, {}", axis.title, unit);
}

void draw_x_axis(SvgCanvas& canvas, const Axis& axis, const SvgScale& scale, double top,
                 double bottom) {
  canvas.open("x-axis");
  double free_from = -1e9;
  for (const Tick& tick : scale.ticks(7, axis.unit)) {
    if (axis.is_whole && tick.value != std::round(tick.value)) continue;
    const double x = scale.place(tick.value);
    canvas.line(x, top, x, bottom, svg_grid_colour, tick.label.empty() ? 0.3 : 0.6);
    const double half = svg_text_width(tick.label) / 2;
    if (tick.label.empty() || x - half < free_from) continue;
    canvas.text(x, bottom + 11, tick.label, Anchor::middle);
    free_from = x + half + 3;
  }
  canvas.line(scale.place(scale.low()), bottom, scale.place(scale.high()), bottom, svg_axis_colour,
              0.8);
  const double middle = (scale.place(scale.low()) + scale.place(scale.high())) / 2;
  canvas.text(middle, bottom + 24, axis_words(axis, scale), Anchor::middle);
  canvas.close();
}

std::string value_words(double value, const std::string& unit) {
  if (unit != "ns") return unit.empty() ? short_number(value) : short_number(value) + " " + unit;
  if (value >= 1e9) return short_number(value / 1e9) + " s";
  if (value >= 1e6) return short_number(value / 1e6) + " ms";
  if (value >= 1e3) return short_number(value / 1e3) + " \u00b5s";
  return short_number(value) + " ns";
}

std::string point_words(const Point& point, const std::string& unit) {
  std::string words = value_words(point.y, unit);
  if (point.interval.has_value()) {
    words += fmt::format(" ({} to {})", value_words(point.interval->first, unit),
                         value_words(point.interval->second, unit));
  }
  return point.row.empty() ? words : point.row + ": " + words;
}

std::string svg(const Picture& picture) {
  SvgSheet sheet;
  draw_title(sheet, picture);
  switch (picture.kind) {
    case PictureKind::lines: draw_lines(sheet, picture); break;
    case PictureKind::bars: draw_bars(sheet, picture); break;
    case PictureKind::stack: draw_stack(sheet, picture); break;
    case PictureKind::histogram: draw_histogram(sheet, picture); break;
    case PictureKind::heat: draw_heat(sheet, picture); break;
  }
  return sheet.canvas.file(svg_width, sheet.top + svg_margin, picture.title, picture.what);
}

}  // namespace cow::tool
