#include "tool/report/picture.hpp"

#include <nlohmann/json.hpp>

namespace cow::tool {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(PictureKind kind) {
  switch (kind) {
    case PictureKind::lines: return "lines";
    case PictureKind::bars: return "bars";
    case PictureKind::stack: return "stack";
    case PictureKind::histogram: return "histogram";
    case PictureKind::heat: return "heat";
  }
  return "";
}

Json axis_json(const Axis& axis) {
  Json json = {{"title", axis.title},
               {"unit", axis.unit},
               {"scale", axis.scale == Scale::logarithmic ? "log" : "linear"}};
  if (!axis.categories.empty()) json["categories"] = axis.categories;
  if (axis.count > 0) json["count"] = axis.count;
  if (axis.span > 0) json["span"] = axis.span;
  if (axis.is_whole) json["whole"] = true;
  return json;
}

Json point_json(PictureKind kind, const Point& point) {
  Json json = Json::object();
  if (kind == PictureKind::lines) {
    json["x"] = point.x;
  } else {
    json["category"] = point.category;
  }
  json["y"] = point.y;
  if (point.interval.has_value()) {
    json["low"] = point.interval->first;
    json["high"] = point.interval->second;
  }
  if (!point.row.empty()) json["row"] = point.row;
  return json;
}

Json series_json(PictureKind kind, const Series& series) {
  Json json = {{"name", series.name}, {"title", series.title}, {"result", series.result}};
  if (kind != PictureKind::histogram) {
    Json points = Json::array();
    for (const Point& point : series.points) points.push_back(point_json(kind, point));
    json["points"] = std::move(points);
    return json;
  }
  json["edges"] = series.edges;
  json["counts"] = series.counts;
  Json percentiles = Json::object();
  for (const auto& [name, value] : series.percentiles) percentiles[name] = value;
  json["percentiles"] = std::move(percentiles);
  if (!series.row.empty()) json["row"] = series.row;
  return json;
}

}  // namespace

Json picture_json(const Picture& picture) {
  Json json = {{"id", picture.id},     {"title", picture.title},    {"kind", name_of(picture.kind)},
               {"what", picture.what}, {"x", axis_json(picture.x)}, {"y", axis_json(picture.y)}};
  Json series = Json::array();
  for (const Series& one : picture.series) series.push_back(series_json(picture.kind, one));
  json["series"] = std::move(series);
  Json marks = Json::array();
  for (const Mark& mark : picture.marks) marks.push_back({{"x", mark.x}, {"text", mark.text}});
  json["marks"] = std::move(marks);
  if (picture.kind != PictureKind::heat) return json;
  Json cells = Json::array();
  for (const Cell& cell : picture.cells) cells.push_back(Json::array({cell.x, cell.y, cell.value}));
  json["cells"] = std::move(cells);
  return json;
}

std::string id_of(const std::string& words) {
  std::string id;
  for (const char letter : words) {
    const bool is_upper = letter >= 'A' && letter <= 'Z';
    if (is_upper || (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9')) {
      id += is_upper ? static_cast<char>(letter - 'A' + 'a') : letter;
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  // A file's name has at most 255 bytes; a number may follow where two are the same.
  constexpr std::size_t most_bytes = 120;
  if (id.size() > most_bytes) id.resize(most_bytes);
  while (!id.empty() && id.back() == '-') id.pop_back();
  return id;
}

}  // namespace cow::tool
