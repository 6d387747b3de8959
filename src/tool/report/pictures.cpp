#include "tool/report/pictures.hpp"

#include <algorithm>
#include <string>

#include "tool/report/curves.hpp"

namespace cow::tool {
namespace {

std::vector<std::string> experiments_of(std::span<const ResultFile> files) {
  std::vector<std::string> names;
  for (const ResultFile& file : files) {
    for (const ResultRow& row : file.rows) {
      if (std::find(names.begin(), names.end(), row.row.experiment) == names.end()) {
        names.push_back(row.row.experiment);
      }
    }
  }
  return names;
}

void append(std::vector<Picture>& all, std::vector<Picture> some) {
  std::move(some.begin(), some.end(), std::back_inserter(all));
}

std::vector<Picture> pictures_of_experiment(std::span<const ResultFile> files,
                                            const std::string& experiment) {
  std::vector<Picture> pictures = stack_pictures(files, experiment);
  const bool has_stack = !pictures.empty();
  append(pictures, histogram_pictures(files, experiment));
  if (line_plan(experiment) != nullptr) {
    append(pictures, line_pictures(files, experiment));
  } else if (experiment == "file" || experiment == "trace") {
    append(pictures, time_bars(files, experiment, BarRows::all));
  } else if (has_stack || experiment == "faults") {
    append(pictures, time_bars(files, experiment, BarRows::without_parts));
  } else {
    append(pictures, ratio_pictures(files, experiment));
  }
  return pictures;
}

}  // namespace

std::vector<Picture> pictures_of(std::span<const ResultFile> files) {
  std::vector<Picture> pictures;
  for (const std::string& experiment : experiments_of(files)) {
    append(pictures, pictures_of_experiment(files, experiment));
  }
  // An id is a file's name: no two may be the same.
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    std::size_t same = 1;
    const std::string id = pictures[i].id;
    const auto is_taken = [&](const std::string& wanted) {
      return std::any_of(pictures.begin(), pictures.begin() + static_cast<std::ptrdiff_t>(i),
                         [&](const Picture& other) { return other.id == wanted; });
    };
    while (is_taken(pictures[i].id)) pictures[i].id = id + "-" + std::to_string(++same);
  }
  return pictures;
}

Scale scale_for(const std::vector<double>& values, double far_apart) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (low == values.end() || *low <= 0) return Scale::linear;
  return *high / *low >= far_apart ? Scale::logarithmic : Scale::linear;
}

std::string quantity_of(const std::string& unit) {
  if (unit == "ns") return "time";
  if (unit == "bytes") return "memory";
  return unit;
}

}  // namespace cow::tool
