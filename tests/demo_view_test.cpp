// What `cow demo` draws: steps on canvases of several sizes, without a terminal.

#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "demo/chapters/chapter.hpp"
#include "demo/view/canvas.hpp"
#include "demo/view/performance.hpp"
#include "demo/view/player_pages.hpp"
#include "demo/view/stage.hpp"

using namespace cow::demo;

namespace {

std::string text_of(const Canvas& canvas, bool ascii) {
  std::string text;
  for (std::size_t row = 0; row < canvas.rows(); ++row) text += canvas.text(row, ascii) + "\n";
  return text;
}

std::vector<Step> steps_of(const std::string& chapter) {
  std::vector<Step> steps;
  Recorder recorder([&](const Step& step) { steps.push_back(step); });
  chapter_named(chapter).run(recorder, {});
  return steps;
}

}  // namespace

TEST_CASE("Lines join where they meet, in boxes and in ASCII", "[demo]") {
  Canvas canvas(3, 5);
  canvas.horizontal(1, 0, 4);
  canvas.vertical(2, 0, 2);
  CHECK(text_of(canvas, false) == "  │\n──┼──\n  │\n");
  CHECK(text_of(canvas, true) == "  |\n--+--\n  |\n");
}

TEST_CASE("Text ends at the edge of a canvas, and what is not ASCII is '?' there", "[demo]") {
  Canvas canvas(1, 4);
  canvas.put(0, 2, "abc");
  canvas.put(1, 0, "below");
  CHECK(text_of(canvas, true) == "  ab\n");
  canvas.put(0, 0, "\xc3\xa9\x1b");
  CHECK(text_of(canvas, true) == "??ab\n");
  CHECK(text_of(canvas, false) == "\xc3\xa9?ab\n");
}

TEST_CASE("Words are broken where a line ends, and a longer word where it must be", "[demo]") {
  CHECK(broken_into_lines("one two three", 8) == std::vector<std::string>{"one two", "three"});
  CHECK(broken_into_lines("abcdefgh", 3) == std::vector<std::string>{"abc", "def", "gh"});
  CHECK(broken_into_lines("", 3).empty());
}

TEST_CASE("Every step fits on 24 rows of 80 columns, and on 40 of 160", "[demo]") {
  for (const Chapter& chapter : chapters()) {
    // It measures for seconds; its steps are tables, which tool_full_screen_test.py sees.
    if (std::string(chapter.name) == "lazy-or-eager" || chapter.is_free) continue;
    for (const Step& step : steps_of(chapter.name)) {
      for (const auto& [rows, columns] : {std::pair{least_rows, least_columns}, {40, 160}}) {
        Canvas canvas(rows, columns);
        Caption caption;
        caption.chapter = chapter.title;
        CAPTURE(chapter.name, step.title);
        CHECK(draw_step(canvas, step, caption));
        CHECK(text_of(canvas, true).find(step.title) != std::string::npos);
      }
    }
  }
}

TEST_CASE("A chapter has no fact whose name is too long for its column", "[demo]") {
  for (const Chapter& chapter : chapters()) {
    if (std::string(chapter.name) == "lazy-or-eager" || chapter.is_free) continue;
    for (const Step& step : steps_of(chapter.name)) {
      for (const Fact& fact : step.facts) {
        CAPTURE(chapter.name, fact.name);
        CHECK(fact.name.size() <= 12);
      }
    }
  }
}

TEST_CASE("A screen that was made smaller shows fewer pages, and those whole", "[demo]") {
  std::vector<Step> steps;
  Recorder recorder([&](const Step& step) { steps.push_back(step); });
  ChapterOptions options;
  options.pages_shown = 12;
  run_one_store(recorder, options);
  Canvas canvas(least_rows, least_columns);
  draw_step(canvas, steps.back(), {});
  CHECK(canvas.text(2, true).ends_with(" 9"));
  const std::string row = canvas.text(4, true);  // of B
  CHECK(row.find('>') != std::string::npos);
  CHECK(row.ends_with(" 9s"));
}

TEST_CASE("A step of the past says so, and the newest one does not", "[demo]") {
  const std::vector<Step> steps = steps_of("one-store");
  for (const std::size_t number : {2U, 5U}) {
    Canvas canvas(least_rows, least_columns);
    Caption caption;
    caption.number = number;
    caption.newest = 5;
    draw_step(canvas, steps.front(), caption);
    CHECK((canvas.text(0, true).find("THE PAST: step 2, 3 back") != std::string::npos) ==
          (number == 2));
  }
}

TEST_CASE("A question is drawn without its answer until that is asked for", "[demo]") {
  Step step;
  step.title = "Before you look";
  step.question = Question{"How many?", "Nine."};
  for (const bool shows_answer : {false, true}) {
    Canvas canvas(least_rows, least_columns);
    Caption caption;
    caption.shows_answer = shows_answer;
    draw_step(canvas, step, caption);
    const std::string text = text_of(canvas, true);
    CHECK(text.find("How many?") != std::string::npos);
    CHECK((text.find("Nine.") != std::string::npos) == shows_answer);
  }
}

TEST_CASE("The menu and the help fit on 24 rows of 80 columns", "[demo]") {
  Canvas menu(least_rows, least_columns);
  draw_menu(menu, 1);
  for (const Chapter& chapter : chapters()) {
    const std::string text = text_of(menu, true);
    CHECK(text.find(chapter.name) != std::string::npos);
    CHECK(text.find(chapter.title) != std::string::npos);
    CHECK(text.find(chapter.about) != std::string::npos);
  }
  Canvas help(least_rows, least_columns);
  draw_help(help);
  CHECK(text_of(help, true).find("any key goes on") != std::string::npos);
}

TEST_CASE("A chapter goes no further than it is asked to, and may be left anywhere", "[demo]") {
  const Chapter& chapter = chapter_named("sole-owner");
  { const Performance unseen(chapter, {}); }
  Performance performance(chapter, {});
  CHECK(performance.recording().steps.empty());
  REQUIRE(performance.advance());
  CHECK(performance.recording().steps.size() == 1);
  REQUIRE(performance.advance());
  CHECK(performance.recording().steps.size() == 2);
  CHECK_FALSE(performance.has_ended());
}

TEST_CASE("A performance ends where its chapter does", "[demo]") {
  Performance performance(chapter_named("sole-owner"), {});
  std::size_t steps = 0;
  while (performance.advance()) ++steps;
  CHECK(performance.has_ended());
  CHECK(performance.recording().steps.size() == steps);
  CHECK_FALSE(performance.advance());
}
