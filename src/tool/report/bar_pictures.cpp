// Bars: medians, ratios, and what faults are made of; and histograms.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include <fmt/format.h>

#include "tool/report/mechanism_names.hpp"
#include "tool/report/pictures.hpp"

namespace cow::tool {
namespace {

constexpr std::size_t most_categories = 24;  // more do not fit on a page
constexpr std::size_t most_series = 9;

std::size_t category_of(Picture& picture, const std::string& name) {
  std::vector<std::string>& categories = picture.x.categories;
  const auto found = std::find(categories.begin(), categories.end(), name);
  if (found != categories.end()) return static_cast<std::size_t>(found - categories.begin());
  categories.push_back(name);
  return categories.size() - 1;
}

std::string labelled(std::span<const ResultFile> files, std::size_t result,
                     const std::string& words) {
  if (files.size() < 2) return words;
  return fmt::format("{}: {}", static_cast<char>('A' + result), words);
}

Series& series_for(Picture& picture, std::span<const ResultFile> files, const std::string& name,
                   const std::string& title, std::size_t result) {
  for (Series& series : picture.series) {
    if (series.name == name && series.result == result) return series;
  }
  picture.series.push_back(
      {.name = name, .title = labelled(files, result, title), .result = result});
  return picture.series.back();
}

void sort_series(Picture& picture) {
  std::stable_sort(picture.series.begin(), picture.series.end(),
                   [](const Series& a, const Series& b) {
                     const std::size_t first = mechanism_order(a.name);
                     const std::size_t second = mechanism_order(b.name);
                     return first != second ? first < second : a.result < b.result;
                   });
}

std::vector<double> values_of(const Picture& picture) {
  std::vector<double> values;
  for (const Series& series : picture.series) {
    for (const Point& point : series.points) {
      values.push_back(point.y);
      if (point.interval.has_value()) {
        values.insert(values.end(), {point.interval->first, point.interval->second});
      }
    }
  }
  return values;
}

// A picture of at most so many categories each.
std::vector<Picture> in_parts(const Picture& whole) {
  const std::size_t count = whole.x.categories.size();
  if (count <= most_categories) return {whole};
  std::vector<Picture> parts;
  for (std::size_t first = 0; first < count; first += most_categories) {
    const std::size_t end = std::min(count, first + most_categories);
    Picture part = whole;
    part.id += fmt::format("-{}", parts.size() + 1);
    part.title += fmt::format(", part {}", parts.size() + 1);
    part.x.categories.assign(whole.x.categories.begin() + static_cast<std::ptrdiff_t>(first),
                             whole.x.categories.begin() + static_cast<std::ptrdiff_t>(end));
    for (Series& series : part.series) {
      std::erase_if(series.points, [&](const Point& point) {
        return point.category < first || point.category >= end;
      });
      for (Point& point : series.points) point.category -= first;
    }
    std::erase_if(part.series, [](const Series& series) { return series.points.empty(); });
    parts.push_back(std::move(part));
  }
  return parts;
}

template <typename Function>
void each_measured(std::span<const ResultFile> files, const std::string& experiment,
                   const Function& function) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (const ResultRow& row : files[i].rows) {
      if (row.row.experiment == experiment && row.is_measured()) function(row, i);
    }
  }
}

std::string title_of(const std::string& experiment) {
  if (experiment == "file") return "A real file";
  if (experiment == "trace") return "A recorded program, replayed under each mechanism";
  if (experiment == "faults") return "Single faults";
  if (experiment == "anatomy") return "What a fault is made of";
  return experiment;
}

}  // namespace

std::vector<Picture> time_bars(std::span<const ResultFile> files, const std::string& experiment,
                               BarRows rows) {
  const auto is_wanted = [&](const ResultRow& row) {
    return rows == BarRows::all || row.parts.empty();
  };
  std::map<std::string, std::set<std::string>> mechanisms;
  each_measured(files, experiment, [&](const ResultRow& row, std::size_t) {
    if (is_wanted(row)) mechanisms[row.row.unit].insert(row.row.mechanism);
  });
  std::map<std::string, Picture> by_unit;
  each_measured(files, experiment, [&](const ResultRow& row, std::size_t result) {
    if (!is_wanted(row)) return;
    Picture& picture = by_unit[row.row.unit];
    const std::string title = mechanism_title(row.row.mechanism);
    // More series than a legend tells apart are categories instead.
    const bool are_many = mechanisms[row.row.unit].size() > most_series;
    const std::string category =
        are_many ? fmt::format("{}: {}", row.row.workload, title) : row.row.workload;
    Series& series = are_many ? series_for(picture, files, "median", "median", result)
                              : series_for(picture, files, row.row.mechanism, title, result);
    series.points.push_back({.category = category_of(picture, category),
                             .y = row.median,
                             .interval = std::make_pair(row.interval.low, row.interval.high),
                             .row = row.name});
  });
  std::vector<Picture> pictures;
  for (auto& [unit, picture] : by_unit) {
    sort_series(picture);
    picture.kind = PictureKind::bars;
    picture.id = id_of(unit == "ns" ? experiment : fmt::format("{} {}", experiment, unit));
    picture.title = title_of(experiment);
    if (rows == BarRows::without_parts && experiment == "anatomy") {
      picture.title = "Faults that are not taken apart, and what comes after";
    }
    if (unit != "ns") picture.title += ", in " + unit;
    picture.what = "Medians of each mechanism under the same work; the thin bar holds the median "
                   "with 95 %.";
    picture.y = {quantity_of(unit), unit, scale_for(values_of(picture), 50)};
    for (Picture& part : in_parts(picture)) pictures.push_back(std::move(part));
  }
  return pictures;
}

std::vector<Picture> ratio_pictures(std::span<const ResultFile> files,
                                    const std::string& experiment) {
  Picture picture{.kind = PictureKind::bars, .id = id_of(experiment)};
  each_measured(files, experiment, [&](const ResultRow& row, std::size_t result) {
    if (!row.against.has_value() || row.against->ratio <= 0) return;
    std::string name =
        fmt::format("{}: {} / {}", row.row.workload, mechanism_title(row.row.mechanism),
                    mechanism_title(row.against->mechanism));
    if (row.row.at_most.has_value()) name += fmt::format(" (at most {:.3g})", *row.row.at_most);
    Series& series = series_for(picture, files, "ratio", "ratio of medians", result);
    series.points.push_back(
        {.category = category_of(picture, name),
         .y = row.against->ratio,
         .interval = std::make_pair(row.against->interval.low, row.against->interval.high),
         .row = row.name});
  });
  if (picture.series.empty()) return time_bars(files, experiment, BarRows::all);
  picture.title = title_of(experiment) + ": ratios of medians";
  picture.what = "The median of the first side by that of the second: below 1 the first takes "
                 "less. The thin bar holds the ratio with 95 %.";
  picture.y = {"ratio", "", scale_for(values_of(picture), 1)};
  picture.marks = {{1, "the same"}};
  return in_parts(picture);
}

namespace {

constexpr std::size_t bins = 96;

/// The rows of one workload whose samples are shown beside one another.
struct Spread {
  std::vector<std::pair<const ResultRow*, std::size_t>> rows;  ///< with the result of each
  std::string workload;
};

// The same for every series, as counts in bins of different width cannot be compared.
std::vector<double> shared_edges(const Spread& spread, bool& is_log) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const auto& [row, result] : spread.rows) {
    const auto [least, most] =
        std::minmax_element(row->row.samples.begin(), row->row.samples.end());
    low = std::min(low, *least);
    high = std::max(high, *most);
  }
  is_log = low > 0;
  if (high <= low) high = is_log ? low * 1.01 : low + 1;
  std::vector<double> edges;
  for (std::size_t i = 0; i <= bins; ++i) {
    const double share = static_cast<double>(i) / bins;
    edges.push_back(is_log ? low * std::pow(high / low, share) : low + share * (high - low));
  }
  edges.back() = std::max(edges.back(), high);
  return edges;
}

std::vector<std::size_t> counts_in(const std::vector<double>& samples,
                                   const std::vector<double>& edges) {
  std::vector<std::size_t> counts(edges.size() - 1, 0);
  for (const double sample : samples) {
    const auto above = std::upper_bound(edges.begin(), edges.end(), sample);
    const auto bin = std::max<std::ptrdiff_t>(0, above - edges.begin() - 1);
    ++counts[std::min(counts.size() - 1, static_cast<std::size_t>(bin))];
  }
  return counts;
}

Picture histogram_of(std::span<const ResultFile> files, const std::string& experiment,
                     const Spread& spread) {
  const measure::Row& first = spread.rows.front().first->row;
  Picture picture{.kind = PictureKind::histogram, .id = id_of(experiment + " " + spread.workload)};
  picture.title = title_of(experiment) + ": " + spread.workload;
  picture.what = fmt::format("Which share of the samples took how long, and percentiles. A sample "
                             "is: {}.",
                             first.sample);
  bool is_log = false;
  const std::vector<double> edges = shared_edges(spread, is_log);
  picture.x = {quantity_of(first.unit), first.unit, is_log ? Scale::logarithmic : Scale::linear};
  picture.y = {"share of the samples", "%", Scale::linear};
  for (const auto& [row, result] : spread.rows) {
    Series& series =
        series_for(picture, files, row->row.mechanism, mechanism_title(row->row.mechanism), result);
    series.edges = edges;
    series.counts = counts_in(row->row.samples, edges);
    series.percentiles = row->percentiles;
    series.row = row->name;
  }
  sort_series(picture);
  return picture;
}

}  // namespace

std::vector<Picture> histogram_pictures(std::span<const ResultFile> files,
                                        const std::string& experiment) {
  // Where lines or stacks are the point, a histogram of each of their points is too much.
  if (experiment != "faults") return {};
  std::vector<Spread> spreads;
  each_measured(files, experiment, [&](const ResultRow& row, std::size_t result) {
    if (!row.histogram.has_value() || row.row.samples.empty()) return;
    auto found = std::find_if(spreads.begin(), spreads.end(), [&](const Spread& spread) {
      return spread.workload == row.row.workload;
    });
    if (found == spreads.end()) found = spreads.insert(found, {{}, row.row.workload});
    found->rows.emplace_back(&row, result);
  });
  std::vector<Picture> pictures;
  pictures.reserve(spreads.size());
  for (const Spread& spread : spreads) pictures.push_back(histogram_of(files, experiment, spread));
  return pictures;
}

// A picture for each workload: its name stands above, not beside every bar.
std::vector<Picture> stack_pictures(std::span<const ResultFile> files,
                                    const std::string& experiment) {
  // The other experiments have pictures of the same workload as a whole.
  const std::string in_parts_words = experiment == "anatomy" ? "" : ", in parts";
  std::vector<std::string> workloads;
  std::vector<Picture> pictures;
  each_measured(files, experiment, [&](const ResultRow& row, std::size_t result) {
    if (row.parts.empty()) return;
    const auto found = std::find(workloads.begin(), workloads.end(), row.row.workload);
    const auto at = static_cast<std::size_t>(found - workloads.begin());
    if (found == workloads.end()) {
      workloads.push_back(row.row.workload);
      pictures.push_back(
          {.kind = PictureKind::stack,
           .id = id_of(experiment + " parts " + row.row.workload),
           .title = title_of(experiment) + in_parts_words + ": " + row.row.workload});
    }
    const std::string name = labelled(files, result, mechanism_title(row.row.mechanism));
    for (const auto& [part, median] : row.parts) {
      // Results stand beside one another as categories; their parts have the same titles.
      series_for(pictures[at], files.subspan(0, 1), part, part, result)
          .points.push_back(
              {.category = category_of(pictures[at], name), .y = median, .row = row.name});
    }
  });
  std::vector<Picture> parts;
  for (Picture& picture : pictures) {
    picture.what = "Medians of the parts of one sample, in the order of time from the left. "
                   "Medians of parts need not add up to the median of the whole.";
    picture.y = {"time", "ns", Scale::linear};
    for (Picture& part : in_parts(picture)) parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace cow::tool
