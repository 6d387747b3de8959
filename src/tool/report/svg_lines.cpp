// Lines over numbers, with intervals and marks.

#include <algorithm>
#include <limits>

#include "tool/report/svg_parts.hpp"

namespace cow::tool {
namespace {

constexpr double plot_height = 180;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// A little room, so that no marker lies on the frame.
SvgScale scale_of(const Axis& axis, Range range, double from, double to) {
  if (axis.scale == Scale::logarithmic) {
    return {axis.scale, range.low / 1.12, range.high * 1.12, from, to};
  }
  return {axis.scale, range.low, range.high + (range.high - std::min(range.low, 0.0)) * 0.04, from,
          to};
}

struct MarkLabel {
  double x;
  std::size_t row;
};

// A row for each label, so that none overlaps another.
std::vector<MarkLabel> placed_labels(const std::vector<Mark>& marks, const SvgScale& x,
                                     std::size_t& rows) {
  std::vector<MarkLabel> labels;
  std::vector<double> free_from;
  for (const Mark& mark : marks) {
    const double half = svg_text_width(mark.text) / 2 + 2;
    const double middle = std::clamp(x.place(mark.x), svg_margin + half, svg_width - half);
    std::size_t row = 0;
    while (row < free_from.size() && free_from[row] > middle - half) ++row;
    if (row == free_from.size()) free_from.push_back(0);
    free_from[row] = middle + half;
    labels.push_back({middle, row});
  }
  rows = free_from.size();
  return labels;
}

void draw_marks(SvgSheet& sheet, std::vector<Mark> marks, const SvgScale& x, double bottom) {
  if (marks.empty()) return;
  std::sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.x < b.x; });
  std::size_t rows = 0;
  const std::vector<MarkLabel> labels = placed_labels(marks, x, rows);
  const double top = bottom - plot_height;
  sheet.canvas.open("marks");
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const double y =
        top - 4 - static_cast<double>(rows - 1 - labels[i].row) * SvgCanvas::line_height;
    const double place = x.place(marks[i].x);
    sheet.canvas.line(place, y + 2, place, bottom, svg_axis_colour, 0.7, "2 1.5");
    // White behind the words: the lines of other marks pass there.
    const double width = svg_text_width(marks[i].text);
    sheet.canvas.rect(labels[i].x - width / 2, y - 8, width, 10, "#ffffff");
    sheet.canvas.text(labels[i].x, y, marks[i].text, Anchor::middle);
  }
  sheet.canvas.close();
}

void draw_series(SvgCanvas& canvas, const Picture& picture, const SvgScale& x, const SvgScale& y) {
  const std::vector<SvgStyle> styles = styles_of(picture);
  for (std::size_t i = 0; i < picture.series.size(); ++i) {
    canvas.open("series");
    std::vector<std::pair<double, double>> places;
    for (const Point& point : picture.series[i].points) {
      places.emplace_back(x.place(point.x), y.place(point.y));
    }
    canvas.path(places, styles[i]);
    for (std::size_t p = 0; p < places.size(); ++p) {
      const Point& point = picture.series[i].points[p];
      const auto [at, height] = places[p];
      if (point.interval.has_value()) {
        const double low = y.place(point.interval->first);
        const double high = y.place(point.interval->second);
        canvas.line(at, low, at, high, styles[i].colour, 0.8);
        canvas.line(at - 2, low, at + 2, low, styles[i].colour, 0.8);
        canvas.line(at - 2, high, at + 2, high, styles[i].colour, 0.8);
      }
      canvas.marker(at, height, styles[i], point_words(point, picture.y.unit));
    }
    canvas.close();
  }
}

void draw_y_axis(SvgCanvas& canvas, const std::vector<Tick>& ticks, const SvgScale& y, double left,
                 double right) {
  canvas.open("y-axis");
  double free_below = 1e9;
  for (const Tick& tick : ticks) {
    const double place = y.place(tick.value);
    canvas.line(left, place, right, place, svg_grid_colour, tick.label.empty() ? 0.3 : 0.6);
    if (tick.label.empty() || place > free_below) continue;
    canvas.text(left - 4, place + 3, tick.label, Anchor::end);
    free_below = place - SvgCanvas::font_size;
  }
  canvas.line(left, y.place(y.low()), left, y.place(y.high()), svg_axis_colour, 0.8);
  canvas.close();
}

}  // namespace

void draw_lines(SvgSheet& sheet, const Picture& picture) {
  draw_legend(sheet, picture, Sample::line);
  Range x_range;
  Range y_range;
  for (const Series& series : picture.series) {
    for (const Point& point : series.points) {
      x_range.take(point.x);
      y_range.take(point.y);
      if (!point.interval.has_value()) continue;
      y_range.take(point.interval->first);
      y_range.take(point.interval->second);
    }
  }
  for (const Mark& mark : picture.marks) x_range.take(mark.x);
  // How wide the numbers are is known once the scale is, whatever its place.
  const SvgScale any = scale_of(picture.y, y_range, plot_height, 0);
  double left = svg_margin;
  for (const Tick& tick : any.ticks(6, picture.y.unit)) {
    left = std::max(left, svg_margin + svg_text_width(tick.label) + 6);
  }
  const double right = svg_width - 14;
  const SvgScale x = scale_of(picture.x, x_range, left, right);
  std::size_t rows = 0;
  std::vector<Mark> marks = picture.marks;
  std::sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.x < b.x; });
  static_cast<void>(placed_labels(marks, x, rows));
  sheet.canvas.text(svg_margin, sheet.top + 8, axis_words(picture.y, any));
  const double top =
      sheet.top + 14 + static_cast<double>(rows) * SvgCanvas::line_height + (rows > 0 ? 2 : 0);
  const double bottom = top + plot_height;
  const SvgScale y = scale_of(picture.y, y_range, bottom, top);
  draw_x_axis(sheet.canvas, picture.x, x, top, bottom);
  draw_y_axis(sheet.canvas, y.ticks(6, picture.y.unit), y, left, right);
  draw_marks(sheet, marks, x, bottom);
  draw_series(sheet.canvas, picture, x, y);
  sheet.top = bottom + 26;
}

}  // namespace cow::tool
