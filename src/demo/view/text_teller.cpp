#include "demo/view/text_teller.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "demo/view/canvas.hpp"
#include "demo/view/memory_picture.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

constexpr std::size_t indent = 2;  // the picture has a column of its own besides

std::vector<std::string> picture_of(const Step& step, std::size_t columns) {
  Canvas canvas(memory_rows(step.regions.size(), 1), columns);
  draw_memory(canvas, step, 0, 1);
  std::vector<std::string> lines;
  for (std::size_t row = 0; row < canvas.rows(); ++row) {
    std::string line = canvas.text(row, true);
    if (!line.empty() || (!lines.empty() && !lines.back().empty())) lines.push_back(line);
  }
  return lines;
}

}  // namespace

void TextTeller::begin(const Chapter& chapter) {
  screen_.title(chapter.title);
  screen_.text(0, fmt::format("{}: {}", chapter.name, chapter.about));
  screen_.flush();
}

void TextTeller::tell(const Step& step) {
  if (step.question.has_value()) {
    if (asks_) ask(*step.question);
    return;
  }
  screen_.step(++number_, step.title);
  if (!step.sentence.empty()) screen_.text(3, step.sentence);
  for (const Fact& fact : step.facts) screen_.fact(fact.name, fact.value);
  if (step.answered.has_value() && asks_) screen_.fact("the answer", step.answered->answer);
  for (const TimedPart& part : step.times) {
    if (part.is_now) screen_.fact("took", tool::time_text(part.ns));
  }
  if (!step.table.empty()) screen_.blank();
  for (const std::string& line : step.table) screen_.line("   {}", line);
  tell_memory(step);
  if (step.mapping.has_value()) tell_mapping(*step.mapping);
  screen_.flush();
}

void TextTeller::ask(const Question& question) {
  screen_.blank();
  screen_.text(3, screen_.paint(tool::Style::highlight, question.text));
  screen_.pause();
}

void TextTeller::tell_memory(const Step& step) {
  if (step.regions.empty()) return;
  std::vector<std::string> picture = picture_of(step, screen_.columns() - indent);
  if (picture == picture_) return;
  screen_.blank();
  for (const std::string& line : picture) {
    screen_.line("{}{}", line.empty() ? "" : std::string(indent, ' '), line);
  }
  picture_ = std::move(picture);
}

void TextTeller::tell_mapping(const MappingView& mapping) {
  const std::string_view text = mapping.text;
  const std::size_t name = std::min(text.find('/'), text.size());
  screen_.fact("mapping", text.substr(0, name));
}

}  // namespace cow::demo
