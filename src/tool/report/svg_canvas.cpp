#include "tool/report/svg_canvas.hpp"

#include <array>

#include <fmt/format.h>

#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

// Okabe and Ito's, which people with any kind of colour blindness tell apart; yellow is too light
// for lines on paper.
constexpr std::array<const char*, 7> colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                "#e69f00", "#56b4e9", "#000000"};
constexpr std::array<const char*, 6> dashes = {"", "6 2", "2 2", "8 2 2 2", "4 1.5", "1 2"};
constexpr std::size_t marker_count = 6;

// Bytes of the character that begins here, or 0 if it is none of UTF-8 or none that XML may have.
std::size_t character_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' ? 1 : 0;
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (bytes == 0 || first > 0xf4 || text.size() < bytes) return 0;
  unsigned code = first & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80) return 0;
    code = code << 6 | (next & 0x3fU);
  }
  const bool is_too_long = code < (bytes == 2 ? 0x80U : bytes == 3 ? 0x800U : 0x10000U);
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  const bool is_none = code == 0xfffe || code == 0xffff || code > 0x10ffff;
  return is_too_long || is_surrogate || is_none ? 0 : bytes;
}

std::string attributes_of(const SvgStyle& style) {
  if (style.dash.empty()) return "";
  return fmt::format(" stroke-dasharray=\"{}\"", style.dash);
}

const char* name_of(Anchor anchor) {
  return anchor == Anchor::start ? "start" : anchor == Anchor::middle ? "middle" : "end";
}

std::string points_text(const std::vector<std::pair<double, double>>& points) {
  std::string text;
  for (const auto& [x, y] : points) {
    text += fmt::format("{}{:.2f} {:.2f}", text.empty() ? "M" : " L", x, y);
  }
  return text;
}

}  // namespace

std::string xml_text(std::string_view words_of_others) {
  const std::string printed = printable(words_of_others);
  std::string_view words = printed;
  std::string text;
  while (!words.empty()) {
    const std::size_t bytes = character_bytes(words);
    switch (words.front()) {
      case '<': text += "&lt;"; break;
      case '>': text += "&gt;"; break;
      case '&': text += "&amp;"; break;
      case '"': text += "&quot;"; break;
      default: text += bytes == 0 ? "?" : std::string(words.substr(0, bytes));
    }
    words.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return text;
}

SvgStyle svg_style(std::size_t i, std::size_t result, bool has_more_results) {
  SvgStyle style;
  style.colour = colours[i % colours.size()];
  style.marker = i % marker_count;
  // After every marker has been there the dashes are one further: no pair of them comes again
  // before all have been there.
  const std::size_t round = i / marker_count;
  constexpr std::array<std::size_t, dashes.size()> of_results = {0, 3, 1, 4, 2, 5};
  style.dash = dashes[(i + round + of_results[result % of_results.size()]) % dashes.size()];
  style.is_hollow = has_more_results && result > 0;
  return style;
}

void SvgCanvas::line(double x1, double y1, double x2, double y2, std::string_view colour,
                     double width, std::string_view dash) {
  body_ +=
      fmt::format("<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\" stroke=\"{}\" "
                  "stroke-width=\"{}\"{}/>\n",
                  x1, y1, x2, y2, colour, width,
                  dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dash));
}

void SvgCanvas::rect(double x, double y, double width, double height, std::string_view fill,
                     std::string_view stroke, std::string_view title) {
  body_ +=
      fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\" "
                  "stroke=\"{}\"",
                  x, y, width, height, fill, stroke);
  body_ += title.empty() ? "/>\n" : fmt::format("><title>{}</title></rect>\n", xml_text(title));
}

void SvgCanvas::path(const std::vector<std::pair<double, double>>& points, const SvgStyle& style) {
  if (points.size() < 2) return;
  body_ += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.2\" "
                       "stroke-linejoin=\"round\"{}/>\n",
                       points_text(points), style.colour, attributes_of(style));
}

void SvgCanvas::marker(double x, double y, const SvgStyle& style, std::string_view title) {
  constexpr double half = 2.4;
  std::string path;
  switch (style.marker) {
    case 1: path = "M-2.2 -2.2 H2.2 V2.2 H-2.2 Z"; break;
    case 2: path = "M0 -2.9 L2.7 1.9 H-2.7 Z"; break;
    case 3: path = "M0 -3.1 L3.1 0 L0 3.1 L-3.1 0 Z"; break;
    case 4: path = "M-2.2 -2.2 L2.2 2.2 M-2.2 2.2 L2.2 -2.2"; break;
    case 5: path = "M0 -3 V3 M-3 0 H3"; break;
    default: path = fmt::format("M{0} 0 A{0} {0} 0 1 0 -{0} 0 A{0} {0} 0 1 0 {0} 0 Z", half);
  }
  body_ += fmt::format(
      "<path class=\"point\" transform=\"translate({:.2f} {:.2f})\" d=\"{}\" fill=\"{}\" "
      "stroke=\"{}\" stroke-width=\"1\"><title>{}</title></path>\n",
      x, y, path, style.is_hollow ? "#ffffff" : style.colour, style.colour, xml_text(title));
}

void SvgCanvas::text(double x, double y, std::string_view words, Anchor anchor, bool is_bold,
                     double turned) {
  body_ += fmt::format(
      "<text x=\"{:.2f}\" y=\"{:.2f}\" text-anchor=\"{}\"{}{}>{}</text>\n", x, y, name_of(anchor),
      is_bold ? " font-weight=\"bold\"" : "",
      turned == 0 ? "" : fmt::format(" transform=\"rotate({} {:.2f} {:.2f})\"", turned, x, y),
      xml_text(words));
}

void SvgCanvas::open(std::string_view classes) {
  body_ += fmt::format("<g class=\"{}\">\n", xml_text(classes));
}

std::string SvgCanvas::file(double width, double height, std::string_view title,
                            std::string_view description) const {
  // A column of a page in two columns is some 90 mm wide.
  constexpr double mm_per_unit = 0.25;
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.1f}mm\" height=\"{:.1f}mm\" "
      "viewBox=\"0 0 {:.0f} {:.0f}\" font-family=\"Helvetica, Arial, sans-serif\" "
      "font-size=\"{}\" fill=\"#000000\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}</svg>\n",
      width * mm_per_unit, height * mm_per_unit, width, height, font_size, xml_text(title),
      xml_text(description), body_);
}

double svg_text_width(std::string_view words, bool is_bold) {
  double ems = 0;
  for (const char letter : words) {
    if ((static_cast<unsigned char>(letter) & 0xc0U) == 0x80) continue;  // counted with its first
    if (letter == ' ' || letter == '.' || letter == ',' || letter == ':' || letter == 'i' ||
        letter == 'l' || letter == 'j' || letter == 't' || letter == 'f') {
      ems += 0.36;
    } else if ((letter >= 'A' && letter <= 'Z') || letter == 'm' || letter == 'w' ||
               letter == '%' || letter == '_') {
      ems += 0.87;
    } else {
      ems += 0.63;
    }
  }
  return ems * SvgCanvas::font_size * (is_bold ? 1.07 : 1);
}

std::vector<std::string> svg_wrapped(std::string_view words, double width, bool is_bold) {
  std::vector<std::string> lines = {""};
  while (!words.empty()) {
    const std::size_t end = words.find(' ');
    const std::string word(words.substr(0, end));
    const std::string longer = lines.back().empty() ? word : lines.back() + " " + word;
    if (!lines.back().empty() && svg_text_width(longer, is_bold) > width) {
      lines.push_back(word);
    } else {
      lines.back() = longer;
    }
    words.remove_prefix(end == std::string_view::npos ? words.size() : end + 1);
  }
  return lines;
}

}  // namespace cow::tool
