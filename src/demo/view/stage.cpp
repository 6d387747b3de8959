#include "demo/view/stage.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "demo/view/memory_picture.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

constexpr std::size_t margin = 1;
constexpr std::size_t fact_columns = 13;

void draw_title(Canvas& canvas, const Caption& caption) {
  canvas.put(0, margin, caption.chapter, Ink::title);
  std::string place = fmt::format("step {}", caption.number);
  if (caption.is_the_end && caption.number == caption.newest) place += ", the last";
  Ink ink = Ink::dim;
  if (caption.number < caption.newest) {
    place = fmt::format(" THE PAST: step {}, {} back ", caption.number,
                        caption.newest - caption.number);
    ink = Ink::past;
  }
  canvas.put(0, canvas.columns() - margin - place.size(), place, ink);
  canvas.rule(1);
}

void draw_legend(Canvas& canvas, const Step& step, std::size_t row) {
  constexpr PageLook looks[] = {PageLook::zero,         PageLook::shared, PageLook::sole_owner,
                                PageLook::private_page, PageLook::leased, PageLook::kept};
  std::size_t column = name_columns(canvas.columns());
  for (const PageLook look : looks) {
    const bool is_there =
        std::any_of(step.regions.begin(), step.regions.end(), [&](const RegionView& region) {
          return std::any_of(region.shown.begin(), region.shown.end(),
                             [&](const PageView& page) { return page.look == look; });
        });
    if (!is_there) continue;
    const std::string letter = fmt::format(" {} ", letter_of(look));
    std::string meaning = name_of(look);
    if (look == PageLook::private_page) meaning += ", writable";
    canvas.put(row, column, letter, ink_of(look));
    canvas.put(row, column + letter.size() + 1, meaning, Ink::dim);
    column += letter.size() + meaning.size() + 4;
  }
}

void draw_mapping(Canvas& canvas, const MappingView& mapping, std::size_t row) {
  const std::string label = canvas.columns() >= 120 ? "/proc/self/maps" : "";
  const std::size_t column = label.empty() ? margin : name_columns(canvas.columns());
  canvas.put(row, margin, label, Ink::dim);
  canvas.put(row, column, mapping.text, Ink::plain);
  canvas.put(row, column + mapping.mark_column,
             mapping.text.substr(mapping.mark_column, mapping.mark_width), Ink::strong);
}

std::size_t draw_facts(Canvas& canvas, const std::vector<Fact>& facts, std::size_t row,
                       std::size_t end) {
  for (const Fact& fact : facts) {
    if (row >= end) break;
    canvas.put(row, margin + 2, fact.name, Ink::dim);
    const std::size_t column = margin + 2 + fact_columns;
    row += std::max<std::size_t>(
        1,
        canvas.put_words(row, column, canvas.columns() - column - margin, end - row, fact.value));
  }
  return row;
}

// The parts of the whole, with bars.
void draw_bars(Canvas& canvas, const std::vector<TimedPart>& times, std::size_t row) {
  std::uint64_t total = 0;
  for (const TimedPart& part : times) total += part.ns;
  const std::size_t column = margin + 2 + fact_columns;
  const std::size_t room = std::min<std::size_t>(60, canvas.columns() - column - 12 - margin);
  for (const TimedPart& part : times) {
    const double share =
        static_cast<double>(part.ns) / static_cast<double>(std::max<std::uint64_t>(total, 1));
    const auto length = static_cast<std::size_t>(std::lround(share * static_cast<double>(room)));
    canvas.put(row, margin + 2, part.name, part.is_now ? Ink::strong : Ink::dim);
    canvas.put(row, column, fmt::format("{:>9}", tool::time_text(part.ns)),
               part.is_now ? Ink::strong : Ink::plain);
    canvas.put(row, column + 11, std::string(length, '#'), part.is_now ? Ink::strong : Ink::dim);
    ++row;
  }
}

// The same in one line.
void draw_times(Canvas& canvas, const std::vector<TimedPart>& times, std::size_t row) {
  std::size_t column = margin + 2;
  for (const TimedPart& part : times) {
    const std::string text = fmt::format("{} {}", part.name, tool::time_text(part.ns));
    canvas.put(row, column, text, part.is_now ? Ink::strong : Ink::dim);
    column += text.size() + 3;
  }
}

void draw_question(Canvas& canvas, const Step& step, const Caption& caption, std::size_t row,
                   std::size_t end) {
  const std::size_t width = canvas.columns() - 2 * (margin + 2);
  row +=
      1 + canvas.put_words(row, margin + 2, width, end - row, step.question->text, Ink::question);
  if (row >= end) return;
  if (caption.shows_answer) {
    canvas.put_words(row, margin + 2, width, end - row, step.question->answer, Ink::strong);
  } else {
    canvas.put_words(row, margin + 2, width, end - row,
                     "Decide first. A key lets it happen; 'a' tells the answer.", Ink::dim);
  }
}

// What is to be said, in the rows [row, end).
void draw_words(Canvas& canvas, const Step& step, const Caption& caption, std::size_t row,
                std::size_t end) {
  if (row >= end) return;
  canvas.put(row, margin, step.title, Ink::title);
  // A small screen has its rows for what happens.
  if (end - row > 9 + step.facts.size() + step.times.size()) ++row;
  ++row;
  if (step.question.has_value()) {
    draw_question(canvas, step, caption, row, end);
    return;
  }
  const std::size_t width = canvas.columns() - 2 * (margin + 2);
  row += canvas.put_words(row, margin + 2, width, end - row, step.sentence);
  const std::size_t timed_rows = step.times.empty() ? 0 : 1;
  if (row + step.facts.size() + step.times.size() + 2 < end) ++row;
  row = draw_facts(canvas, step.facts, row, end - timed_rows);
  for (const std::string& line : step.table) {
    if (row < end) canvas.put(row++, margin + 2, line);
  }
  if (step.answered.has_value() && caption.asks && row < end) {
    canvas.put(row, margin + 2, "the answer", Ink::question);
    const std::size_t column = margin + 2 + fact_columns;
    row += canvas.put_words(row, column, canvas.columns() - column - margin, end - row,
                            step.answered->answer, Ink::strong);
  }
  if (step.times.empty()) return;
  if (row + step.times.size() < end) {
    draw_bars(canvas, step.times, row + 1);
  } else {
    draw_times(canvas, step.times, end - 1);
  }
}

// Rows that the words need, with all that belongs to them.
std::size_t rows_of_words(const Step& step, std::size_t columns) {
  const std::size_t width = columns - 2 * (margin + 2);
  if (step.question.has_value()) {
    return 4 + broken_into_lines(step.question->text, width).size();
  }
  std::size_t rows = 1 + broken_into_lines(step.sentence, width).size() + step.table.size();
  for (const Fact& fact : step.facts) {
    rows += std::max<std::size_t>(1, broken_into_lines(fact.value, width - fact_columns).size());
  }
  if (step.answered.has_value()) {
    rows += broken_into_lines(step.answered->answer, width - fact_columns).size();
  }
  return rows + (step.times.empty() ? 0 : 1);
}

}  // namespace

std::size_t pages_that_fit(std::size_t columns) { return columns >= 120 ? 12 : 8; }

void draw_step(Canvas& canvas, const Step& step, const Caption& caption) {
  draw_title(canvas, caption);
  const std::size_t end = canvas.rows() - 1;
  canvas.put(end, margin, caption.keys, Ink::dim);
  std::size_t row = 2;
  if (!step.regions.empty()) {
    const std::size_t words = rows_of_words(step, canvas.columns());
    const std::size_t others = 1 + (step.mapping.has_value() ? 1 : 0);
    const std::size_t left = end - row;
    row = draw_memory(canvas, step, row, left > words + others + 1 ? left - words - others - 1 : 0);
    const bool has_room = row + words + others + 3 < end;
    if (has_room) ++row;
    if (step.mapping.has_value()) draw_mapping(canvas, *step.mapping, row++);
    if (row + words + 1 < end) draw_legend(canvas, step, row++);
    canvas.rule(row++);
    if (has_room && row + words + 1 < end) ++row;
  }
  draw_words(canvas, step, caption, row, end);
}

}  // namespace cow::demo
