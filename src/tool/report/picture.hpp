#pragma once

// A picture of results, whoever draws it: the page, or svg.hpp.

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace cow::tool {

enum class Scale { linear, logarithmic };

struct Axis {
  std::string title;
  std::string unit;  ///< "ns", "MiB", "%"; empty for plain numbers
  Scale scale = Scale::linear;
  std::vector<std::string> categories{};  ///< of bars, instead of numbers
  std::size_t count = 0;                  ///< of a heat map's cells
  double span = 0;                        ///< what all of these are together, in `unit`
  bool is_whole = false;                  ///< of threads, stores: nothing lies between numbers
};

/// Where the median of a row lies, or a part of it.
struct Point {
  double x = 0;              ///< of lines
  std::size_t category = 0;  ///< of bars
  double y = 0;
  std::optional<std::pair<double, double>> interval{};  ///< low and high
  std::string row{};                                    ///< its name
};

struct Series {
  std::string name;        ///< the mechanism, or the part
  std::string title;       ///< in the legend
  std::size_t result = 0;  ///< the result that it is of, counted from 0
  std::vector<Point> points{};
  std::vector<double> edges{};        ///< of a histogram: one more than counts
  std::vector<std::size_t> counts{};  ///< of a histogram
  std::vector<std::pair<std::string, double>> percentiles{};
  std::string row{};  ///< of a histogram: its name
};

struct Mark {
  double x = 0;
  std::string text;
};

struct Cell {
  std::size_t x = 0;
  std::size_t y = 0;
  double value = 0;
};

enum class PictureKind { lines, bars, stack, histogram, heat };

struct Picture {
  PictureKind kind = PictureKind::lines;
  std::string id{};  ///< for file names and links: letters, digits, '-'
  std::string title{};
  std::string what{};  ///< a sentence that says what is shown
  Axis x{};
  Axis y{};
  std::vector<Series> series{};
  std::vector<Mark> marks{};
  std::vector<Cell> cells{};
};

/// As the page takes it.
[[nodiscard]] nlohmann::ordered_json picture_json(const Picture& picture);

/// Letters and digits of `words` in lower case, with '-' for all between them.
[[nodiscard]] std::string id_of(const std::string& words);

}  // namespace cow::tool
