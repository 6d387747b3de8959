// Pictures as SVG: XML without a fault, with a mark for every point, whatever the names.

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "tool/report/picture.hpp"
#include "tool/report/svg.hpp"
#include "tool/report/svg_canvas.hpp"
#include "tool/report/svg_scale.hpp"

using namespace cow::tool;

namespace {

/// Why `text` is no XML as far as tags, entities and attributes go; empty if it is.
std::string xml_fault(const std::string& text) {
  std::vector<std::string> open;
  std::size_t at = 0;
  while ((at = text.find_first_of("<&", at)) != std::string::npos) {
    if (text[at] == '&') {
      const std::string entity = text.substr(at, text.find(';', at) - at + 1);
      if (entity != "&lt;" && entity != "&gt;" && entity != "&amp;" && entity != "&quot;") {
        return "entity " + entity;
      }
      ++at;
      continue;
    }
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return "a tag without an end";
    const std::string tag = text.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag.starts_with("?")) continue;
    std::size_t quotes = 0;
    for (const char letter : tag) quotes += letter == '"' ? 1 : 0;
    if (quotes % 2 != 0) return "quotes in " + tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /"));
    if (tag.starts_with("/")) {
      if (open.empty() || open.back() != tag.substr(1)) return "closes " + tag;
      open.pop_back();
    } else if (!tag.ends_with("/")) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "open: " + open.back();
}

std::size_t count_of(const std::string& text, const std::string& words) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(words, at)) != std::string::npos; ++at) ++count;
  return count;
}

Picture lines() {
  Picture picture{.kind = PictureKind::lines, .id = "a"};
  picture.title = "A & B <of> \"all\"";
  picture.what = "what";
  picture.x = {"share", "%", Scale::logarithmic};
  picture.y = {"time", "ns", Scale::logarithmic};
  for (const char* name : {"eager", "handler", "x < y & z"}) {
    Series series{.name = name, .title = name};
    for (const double x : {0.1, 1.0, 10.0, 100.0}) {
      series.points.push_back(
          {.x = x, .y = 1e5 * x, .interval = std::make_pair(0.9e5 * x, 1.1e5 * x), .row = "r"});
    }
    picture.series.push_back(series);
  }
  picture.marks = {{10, "handler = eager: 10 %"}, {11, "kernel = eager: 11 %"}};
  return picture;
}

}  // namespace

TEST_CASE("svg: lines are well-formed, with a marker for each point and each series", "[tool]") {
  const std::string text = svg(lines());
  CHECK(xml_fault(text).empty());
  // One more of each series in the legend.
  CHECK(count_of(text, "class=\"point\"") == 3 * 4 + 3);
  CHECK(count_of(text, "nan") == 0);
  CHECK(count_of(text, "inf") == 0);
  CHECK(text.find("A &amp; B &lt;of&gt; &quot;all&quot;") != std::string::npos);
}

TEST_CASE("svg: series are told apart by more than colour", "[tool]") {
  for (std::size_t i = 0; i < 9; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const SvgStyle a = svg_style(i, 0, false);
      const SvgStyle b = svg_style(j, 0, false);
      CHECK((a.colour != b.colour || a.dash != b.dash || a.marker != b.marker));
    }
    const SvgStyle first = svg_style(i, 0, true);
    const SvgStyle second = svg_style(i, 1, true);
    CHECK(first.colour == second.colour);
    CHECK(first.dash != second.dash);
    CHECK(first.is_hollow != second.is_hollow);
  }
}

TEST_CASE("svg: a single point, and a series of nothing but one value, are drawn", "[tool]") {
  Picture picture = lines();
  picture.series.resize(1);
  picture.series[0].points.resize(1);
  picture.marks.clear();
  const std::string text = svg(picture);
  CHECK(xml_fault(text).empty());
  CHECK(count_of(text, "nan") == 0);
  picture.x.scale = picture.y.scale = Scale::linear;
  CHECK(count_of(svg(picture), "nan") == 0);
}

TEST_CASE("svg: bars, stacks, histograms and heat maps have all that is in them", "[tool]") {
  Picture picture{.kind = PictureKind::bars, .id = "b"};
  picture.title = "bars";
  picture.x.categories = {"one", "a name that is longer than the whole width of a column, which "
                                 "then has to be broken into several lines of text"};
  picture.y = {"time", "ns", Scale::linear};
  for (const char* name : {"eager", "handler"}) {
    picture.series.push_back({.name = name,
                              .title = name,
                              .points = {{.category = 0, .y = 5}, {.category = 1, .y = 7}}});
  }
  CHECK(xml_fault(svg(picture)).empty());
  CHECK(count_of(svg(picture), "class=\"point\"") == 4);
  picture.kind = PictureKind::stack;
  CHECK(xml_fault(svg(picture)).empty());
  CHECK(count_of(svg(picture), "class=\"point\"") == 4);

  Picture histogram{.kind = PictureKind::histogram, .id = "h"};
  histogram.x = {"time", "ns", Scale::logarithmic};
  histogram.series.push_back({.name = "eager",
                              .title = "eager",
                              .edges = {10, 100, 1000},
                              .counts = {3, 4},
                              .percentiles = {{"p50", 50}, {"p90", 400}}});
  CHECK(xml_fault(svg(histogram)).empty());
  CHECK(count_of(svg(histogram), "class=\"point\"") == 2);

  Picture heat{.kind = PictureKind::heat, .id = "m"};
  heat.x.count = 3;
  heat.y.count = 2;
  heat.cells = {{0, 0, 1}, {2, 1, 9}};
  CHECK(xml_fault(svg(heat)).empty());
}

TEST_CASE("svg: text that XML cannot have is replaced", "[tool]") {
  CHECK(xml_text("a<b>&\"\x01\xff") == "a&lt;b&gt;&amp;&quot;??");
  CHECK(xml_text("a\u202eb\u009b1m\x7f") == "a?b?1m?");  // turns the line; a control sequence
  CHECK(xml_text("\u00b5s \u2264") == "\u00b5s \u2264");
  CHECK(xml_text("\xed\xa0\x80") == "???");  // half of a pair of UTF-16
}

TEST_CASE("svg: ticks are round numbers within the scale, few of them with a number", "[tool]") {
  const SvgScale linear(Scale::linear, 0, 97, 0, 100);
  const std::vector<Tick> ticks = linear.ticks(5, "");
  REQUIRE(ticks.size() >= 3);
  CHECK(ticks.front().label == "0");
  CHECK(ticks.back().value <= 97);
  CHECK(std::abs(linear.place(97) - 100) < 1e-9);

  const SvgScale sizes(Scale::logarithmic, 1, 4096, 0, 100);  // not a page size
  for (const Tick& tick : sizes.ticks(6, "MiB")) {
    CHECK(std::log2(tick.value) == std::floor(std::log2(tick.value)));
  }
  const SvgScale times(Scale::logarithmic, 2e6, 9e8, 0, 100);
  CHECK(times.unit_of_labels("ns") == "ms");
  std::size_t labels = 0;
  for (const Tick& tick : times.ticks(6, "ns")) labels += tick.label.empty() ? 0 : 1;
  CHECK(labels >= 2);
  CHECK(labels <= 10);
}

TEST_CASE("svg: whatever the values, ticks and places are finite and few", "[tool]") {
  const double values[] = {
      0,  5e-324,  1e-310, 1e-300,   1,         1 + 1e-15, 97, 1e300, 1e308, 1.7976931348623157e308,
      -1, -1e-320, -1e308, HUGE_VAL, -HUGE_VAL, NAN};
  for (const Scale kind : {Scale::linear, Scale::logarithmic}) {
    for (const double low : values) {
      for (const double high : values) {
        CAPTURE(low, high, kind == Scale::linear);
        const SvgScale scale(kind, low, high, 10, 110);
        CHECK(std::isfinite(scale.low()));
        CHECK(scale.high() > scale.low());
        for (const double value : values) CHECK(std::isfinite(scale.place(value)));
        for (const char* unit : {"ns", "bytes", ""}) {
          const std::vector<Tick> ticks = scale.ticks(5, unit);
          CHECK(ticks.size() <= 400);
          std::size_t labels = 0;
          for (const Tick& tick : ticks) {
            const double place = scale.place(tick.value);
            CHECK((place > 9 && place < 111));
            labels += tick.label.empty() ? 0 : 1;
          }
          CHECK(labels <= 20);
        }
      }
    }
  }
}

TEST_CASE("svg: a histogram of zeros, and of the smallest numbers, is drawn", "[tool]") {
  for (const double value : {0.0, 5e-324, 1e308}) {
    Picture picture{.kind = PictureKind::histogram, .id = "h"};
    picture.x = {"time", "ns", Scale::logarithmic};
    picture.series.push_back({.name = "eager",
                              .title = "eager",
                              .edges = {value, value},
                              .counts = {3},
                              .percentiles = {{"p50", value}}});
    CHECK(xml_fault(svg(picture)).empty());
    CHECK(count_of(svg(picture), "nan") + count_of(svg(picture), "inf") == 0);
  }
}

TEST_CASE("pictures: the id of a long name can be a file's name", "[tool]") {
  const std::string id = id_of("faults " + std::string(100'000, 'W') + " end");
  CHECK(id.size() <= 200);
  CHECK(id.starts_with("faults-www"));
}

TEST_CASE("svg: words are broken where the column ends", "[tool]") {
  for (const std::string& line : svg_wrapped("one two three four five six seven", 60)) {
    CHECK(svg_text_width(line) <= 60);
  }
  CHECK(svg_wrapped("oneverylongwordthathasnoblank", 10).size() == 1);
}

TEST_CASE("svg: no two series of a picture have the same marker and dash", "[tool]") {
  for (const bool has_more : {false, true}) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < 36; ++i) {
      const SvgStyle style = svg_style(i, 0, has_more);
      CHECK(seen.insert(style.dash + ' ' + std::to_string(style.marker)).second);
      CHECK(svg_style(i, 1, true).is_hollow);
    }
  }
}
