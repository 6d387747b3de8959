#pragma once

// The marks on paper that pictures are made of, as SVG.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cow::tool {

/// For text and attributes of XML; characters that XML has not, and broken UTF-8, are replaced.
[[nodiscard]] std::string xml_text(std::string_view words);

/// How a series is drawn: told apart by colour, by dash and by marker.
struct SvgStyle {
  std::string colour;
  std::string dash;        ///< empty: a whole line
  std::size_t marker = 0;  ///< 0 … 5: circle, square, triangle, diamond, cross, plus
  bool is_hollow = false;
};

/// A style for the `i`th of the series: a marker and a dash that no other has of the first 36. A
/// second result has the same markers, hollow, and other dashes.
[[nodiscard]] SvgStyle svg_style(std::size_t i, std::size_t result, bool has_more_results);

enum class Anchor { start, middle, end };

class SvgCanvas {
 public:
  static constexpr double font_size = 9;
  static constexpr double line_height = 12;

  void line(double x1, double y1, double x2, double y2, std::string_view colour, double width,
            std::string_view dash = "");
  void rect(double x, double y, double width, double height, std::string_view fill,
            std::string_view stroke = "none", std::string_view title = "");
  void path(const std::vector<std::pair<double, double>>& points, const SvgStyle& style);
  void marker(double x, double y, const SvgStyle& style, std::string_view title);
  void text(double x, double y, std::string_view words, Anchor anchor = Anchor::start,
            bool is_bold = false, double turned = 0);
  /// For groups.
  void open(std::string_view classes);
  void close() { body_ += "</g>\n"; }

  /// The whole file, `width` by `height` of the units of all numbers here.
  [[nodiscard]] std::string file(double width, double height, std::string_view title,
                                 std::string_view description) const;

 private:
  std::string body_;
};

/// How wide `words` are at most in a usual sans-serif font; a little more than that.
[[nodiscard]] double svg_text_width(std::string_view words, bool is_bold = false);

/// `words` in lines no wider than `width`.
[[nodiscard]] std::vector<std::string> svg_wrapped(std::string_view words, double width,
                                                   bool is_bold = false);

}  // namespace cow::tool
