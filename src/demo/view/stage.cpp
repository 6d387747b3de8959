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

/// A part of the screen that is filled from its top, and whether all of it had room.
struct Block {
  Canvas& canvas;
  std::size_t row = 0;
  std::size_t end = 0;
  bool fits = true;

  [[nodiscard]] std::size_t width() const { return canvas.columns() - 2 * (margin + 2); }

  void words(std::string_view text, Ink ink = Ink::plain, std::size_t indent = 0) {
    for (const std::string& line : broken_into_lines(text, width() - indent)) {
      if (row >= end) {
        fits = false;
        return;
      }
      canvas.put(row++, margin + 2 + indent, line, ink);
    }
  }
  void fact(std::string_view name, std::string_view value, Ink name_ink, Ink ink) {
    if (row < end) canvas.put(row, margin + 2, name, name_ink);
    words(value, ink, fact_columns);
  }
  void line(std::string_view text) {
    if (row >= end) {
      fits = false;
      return;
    }
    canvas.put(row++, margin + 2, text);
  }
  void blank_where_there_is_room(std::size_t needed) {
    if (row + needed + 1 <= end) ++row;
  }
};

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

void draw_question(Block& block, const Question& question, const Caption& caption) {
  block.words(question.text, Ink::question);
  ++block.row;
  if (caption.shows_answer) {
    block.words(question.answer, Ink::strong);
  } else {
    block.words("Decide first. A key lets it happen; 'a' tells the answer.", Ink::dim);
  }
}

// Lines that facts, a table and an answer take.
std::size_t rows_of_facts(const Step& step, const Block& block) {
  std::size_t rows = step.table.size();
  const auto count = [&](const std::string& text) {
    rows += broken_into_lines(text, block.width() - fact_columns).size();
  };
  for (const Fact& fact : step.facts) count(fact.value);
  if (step.answered.has_value()) count(step.answered->answer);
  return rows;
}

// What is to be said, in the rows [row, end); false if there was too little room for it.
bool draw_words(Canvas& canvas, const Step& step, const Caption& caption, std::size_t row,
                std::size_t end) {
  canvas.put(row, margin, step.title, Ink::title);
  Block block{canvas, row + 1, end - (step.times.empty() ? 0 : 1)};
  if (step.question.has_value()) {
    draw_question(block, *step.question, caption);
    return block.fits;
  }
  block.words(step.sentence);
  block.blank_where_there_is_room(rows_of_facts(step, block));
  for (const Fact& fact : step.facts) block.fact(fact.name, fact.value, Ink::dim, Ink::plain);
  for (const std::string& line : step.table) block.line(line);
  if (step.answered.has_value() && caption.asks) {
    block.fact("the answer", step.answered->answer, Ink::question, Ink::strong);
  }
  if (step.times.empty()) return block.fits;
  if (block.row + step.times.size() < end) {
    draw_bars(canvas, step.times, block.row + 1);
  } else {
    draw_times(canvas, step.times, end - 1);
  }
  return block.fits;
}

/// Which rows belong to what.
struct Rows {
  std::size_t pitch = 1;  ///< from one region to the next
  std::size_t mapping = 0;
  std::size_t legend = 0;  ///< 0: none
  std::size_t rule = 0;
  std::size_t words = 2;
};

// By the size of the screen and the number of regions alone, so that nothing moves but what
// changes.
Rows rows_of(std::size_t regions, std::size_t end) {
  Rows rows;
  if (regions == 0) return rows;
  constexpr std::size_t least_words = 10;
  const std::size_t taken = 2 + memory_rows(regions, 1) + 2 + least_words;
  std::size_t spare = end > taken ? end - taken : 0;
  const auto take = [&spare](std::size_t count) {
    if (spare < count) return false;
    spare -= count;
    return true;
  };
  const bool has_legend = take(1);
  if (take(regions)) rows.pitch = 2;
  std::size_t row = 2 + memory_rows(regions, rows.pitch);
  if (take(1)) ++row;
  rows.mapping = row++;
  if (has_legend) rows.legend = row++;
  if (take(1)) ++row;
  rows.rule = row++;
  if (take(1)) ++row;
  rows.words = row;
  return rows;
}

}  // namespace

std::size_t pages_that_fit(std::size_t columns) {
  if (columns >= 144) return 12;
  const std::size_t room = columns > name_columns(columns) ? columns - name_columns(columns) : 0;
  return std::clamp<std::size_t>(room / least_pitch, 3, 8);
}

bool draw_step(Canvas& canvas, const Step& step, const Caption& caption) {
  draw_title(canvas, caption);
  const std::size_t end = canvas.rows() - 1;
  canvas.put(end, margin, caption.keys, Ink::dim);
  const Rows rows = rows_of(step.regions.size(), end);
  if (!step.regions.empty()) {
    draw_memory(canvas, step, 2, rows.pitch);
    if (step.mapping.has_value()) draw_mapping(canvas, *step.mapping, rows.mapping);
    if (rows.legend != 0) draw_legend(canvas, step, rows.legend);
    canvas.rule(rows.rule);
  }
  return draw_words(canvas, step, caption, rows.words, end);
}

}  // namespace cow::demo
