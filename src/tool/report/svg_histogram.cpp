// How often which value came, and where the percentiles are; and a map of counts.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "tool/report/svg_parts.hpp"

namespace cow::tool {
namespace {

constexpr double plot_height = 150;
constexpr double strip_height = 8;

double share_of(const Series& series, std::size_t i) {
  const std::size_t all =
      std::accumulate(series.counts.begin(), series.counts.end(), std::size_t{0});
  return all == 0 ? 0 : 100.0 * static_cast<double>(series.counts[i]) / static_cast<double>(all);
}

// p50 to the last one as a line with a tick for each; they are named below the picture.
void draw_strip(SvgCanvas& canvas, const Series& series, const SvgStyle& style, const SvgScale& x,
                double y) {
  if (series.percentiles.empty()) return;
  canvas.open("percentiles");
  const double first = x.place(series.percentiles.front().second);
  const double last = x.place(series.percentiles.back().second);
  canvas.line(first, y, last, y, style.colour, 0.8, style.dash);
  for (const auto& [name, value] : series.percentiles) {
    canvas.marker(x.place(value), y, style,
                  fmt::format("{} {}: {}", series.title, name, value_words(value, "ns")));
  }
  canvas.close();
}

void draw_steps(SvgCanvas& canvas, const Series& series, const SvgStyle& style, const SvgScale& x,
                const SvgScale& y) {
  std::vector<std::pair<double, double>> places;
  places.emplace_back(x.place(series.edges.front()), y.place(0));
  for (std::size_t i = 0; i < series.counts.size(); ++i) {
    const double height = y.place(share_of(series, i));
    places.emplace_back(x.place(series.edges[i]), height);
    places.emplace_back(x.place(series.edges[i + 1]), height);
  }
  places.emplace_back(x.place(series.edges.back()), y.place(0));
  canvas.open("series");
  canvas.path(places, style);
  canvas.close();
}

// White to dark blue, also as grey.
std::string heat_colour(double share) {
  const auto between = [&](int white, int dark) {
    return static_cast<int>(std::lround(white + share * (dark - white)));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", between(0xe6, 0x06), between(0xf0, 0x1f),
                     between(0xfa, 0x4a));
}

}  // namespace

void draw_histogram(SvgSheet& sheet, const Picture& picture) {
  draw_legend(sheet, picture, Sample::step);
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  double most = 0;
  for (const Series& series : picture.series) {
    low = std::min(low, series.edges.front());
    high = std::max(high, series.edges.back());
    for (const auto& [name, value] : series.percentiles) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    for (std::size_t i = 0; i < series.counts.size(); ++i) {
      most = std::max(most, share_of(series, i));
    }
  }
  const double left = svg_margin + 26;
  const SvgScale x(picture.x.scale, low, high, left, svg_width - 14);
  const std::vector<SvgStyle> styles = styles_of(picture);
  sheet.canvas.text(svg_margin, sheet.top + 8,
                    "p50, p90, p99, p99.9 and, below, share of samples, %");
  double top = sheet.top + 16;
  for (std::size_t i = 0; i < picture.series.size(); ++i) {
    draw_strip(sheet.canvas, picture.series[i], styles[i], x, top);
    top += strip_height;
  }
  const double bottom = top + plot_height;
  const SvgScale y(Scale::linear, 0, most * 1.05, bottom, top);
  draw_x_axis(sheet.canvas, picture.x, x, top, bottom);
  for (const Tick& tick : y.ticks(5, "%")) {
    const double place = y.place(tick.value);
    sheet.canvas.line(left, place, svg_width - 14, place, svg_grid_colour, 0.6);
    sheet.canvas.text(left - 4, place + 3, tick.label, Anchor::end);
  }
  for (std::size_t i = 0; i < picture.series.size(); ++i) {
    draw_steps(sheet.canvas, picture.series[i], styles[i], x, y);
  }
  sheet.top = bottom + 26;
}

void draw_heat(SvgSheet& sheet, const Picture& picture) {
  const double left = svg_margin;
  const double cell_width =
      (svg_width - 2 * svg_margin) / static_cast<double>(std::max<std::size_t>(1, picture.x.count));
  const double cell_height =
      std::clamp(160.0 / static_cast<double>(std::max<std::size_t>(1, picture.y.count)), 1.0, 16.0);
  double most = 1;
  for (const Cell& cell : picture.cells) most = std::max(most, cell.value);
  sheet.canvas.text(left, sheet.top + 8, picture.y.title);
  const double top = sheet.top + 14;
  const double bottom = top + cell_height * static_cast<double>(picture.y.count);
  sheet.canvas.rect(left, top, svg_width - 2 * svg_margin, bottom - top, "none", svg_axis_colour);
  sheet.canvas.open("cells");
  for (const Cell& cell : picture.cells) {
    sheet.canvas.rect(left + static_cast<double>(cell.x) * cell_width,
                      top + static_cast<double>(cell.y) * cell_height, cell_width, cell_height,
                      heat_colour(std::log1p(cell.value) / std::log1p(most)));
  }
  sheet.canvas.close();
  sheet.canvas.text(svg_width / 2, bottom + 11, picture.x.title, Anchor::middle);
  const double scale_top = bottom + 18;
  for (int i = 0; i <= 9; ++i) {
    sheet.canvas.rect(left + 20 + 12 * i, scale_top, 12, 7, heat_colour(i / 9.0));
  }
  sheet.canvas.text(left + 17, scale_top + 7, "0", Anchor::end);
  sheet.canvas.text(left + 144, scale_top + 7, short_number(most));
  sheet.top = scale_top + 10;
}

}  // namespace cow::tool
