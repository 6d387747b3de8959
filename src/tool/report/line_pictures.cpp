// Curves as pictures, with the places where they cross.

#include <algorithm>

#include <fmt/format.h>

#include "tool/report/curves.hpp"
#include "tool/report/pictures.hpp"

namespace cow::tool {
namespace {

// Which crossings are worth a mark: where copying at once, or forking, becomes the better choice.
constexpr std::pair<std::string_view, std::string_view> marked_pairs[] = {
    {"handler", "eager"}, {"kernel", "eager"}, {"fork", "eager"},
    {"handler", "fork"},  {"kernel", "fork"},  {"handler", "kernel"},
};

const Curve* curve_of(const CurveGroup& group, std::string_view mechanism, std::size_t result) {
  for (const Curve& curve : group.curves) {
    if (curve.mechanism == mechanism && curve.result == result) return &curve;
  }
  return nullptr;
}

std::vector<Mark> marks_of(std::span<const ResultFile> files, const CurveGroup& group) {
  std::vector<Mark> marks;
  for (std::size_t result = 0; result < files.size(); ++result) {
    for (const auto& [first, second] : marked_pairs) {
      const Curve* ours = curve_of(group, first, result);
      const Curve* theirs = curve_of(group, second, result);
      if (ours == nullptr || theirs == nullptr) continue;
      for (const Crossover& crossover : crossovers(*ours, *theirs)) {
        std::string text = fmt::format("{} = {}: between {}", first, second,
                                       crossover_words(*group.plan, crossover));
        if (files.size() > 1) text = fmt::format("{} {}", static_cast<char>('A' + result), text);
        marks.push_back({crossover.x, text});
      }
    }
  }
  return marks;
}

Series series_of(std::span<const ResultFile> files, const Curve& curve) {
  Series series{.name = curve.mechanism, .title = curve.title, .result = curve.result};
  if (files.size() > 1) {
    series.title = fmt::format("{}: {}", static_cast<char>('A' + curve.result), curve.title);
  }
  for (const CurvePoint& point : curve.points) {
    series.points.push_back(
        {.x = point.x,
         .y = point.row->median,
         .interval = std::make_pair(point.row->interval.low, point.row->interval.high),
         .row = point.row->name});
  }
  return series;
}

Picture picture_of(std::span<const ResultFile> files, const CurveGroup& group) {
  Picture picture{.kind = PictureKind::lines};
  const LinePlan& plan = *group.plan;
  picture.id = id_of(fmt::format("{} {}", plan.experiment, group.split));
  picture.title = std::string(plan.title);
  if (!group.split.empty()) picture.title += ": " + group.split;
  std::vector<double> x_values;
  std::vector<double> y_values;
  for (const Curve& curve : group.curves) {
    picture.series.push_back(series_of(files, curve));
    for (const Point& point : picture.series.back().points) {
      x_values.push_back(point.x);
      y_values.insert(y_values.end(), {point.y, point.interval->first, point.interval->second});
    }
  }
  const std::string& sample = group.curves.front().points.front().row->row.sample;
  picture.what = fmt::format("{}. A point is the median of samples of: {}; its bar holds the "
                             "median with 95 %.",
                             plan.what, sample);
  picture.x = {std::string(plan.x_title), std::string(plan.unit), scale_for(x_values, 8)};
  picture.x.is_whole = plan.unit.empty();
  picture.y = {quantity_of(group.unit), group.unit, scale_for(y_values, 8)};
  picture.marks = marks_of(files, group);
  return picture;
}

bool is_a_line(const CurveGroup& group) {
  return std::any_of(group.curves.begin(), group.curves.end(), [](const Curve& curve) {
    return curve.points.front().x != curve.points.back().x;
  });
}

}  // namespace

std::vector<Picture> line_pictures(std::span<const ResultFile> files,
                                   const std::string& experiment) {
  std::vector<Picture> pictures;
  for (const CurveGroup& group : curve_groups(files, *line_plan(experiment))) {
    if (is_a_line(group)) pictures.push_back(picture_of(files, group));
  }
  // A single size, as of a quick run, or rows that do not say where they lie: bars.
  if (pictures.empty()) return time_bars(files, experiment, BarRows::all);
  return pictures;
}

}  // namespace cow::tool
