#include "tool/doctor/text.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "tool/quantity.hpp"

namespace cow::tool {

namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kSubject = 20;  // where sentences begin

/// `text` in lines that end before column 80; the first one begins at `column`, others at `indent`.
std::string wrapped(std::string_view text, std::size_t column, std::size_t indent) {
  std::string lines;
  bool is_first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string word = printable(text.substr(0, end));
    if (!is_first && column + 1 + word.size() > kColumns) {
      lines += '\n';
      lines.append(indent, ' ');
      column = indent;
    } else if (!is_first) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
    text.remove_prefix(std::min(end + 1, text.size()));
    is_first = false;
  }
  return lines + "\n";
}

std::string one(const Line& line) {
  std::string text = "  " + line.subject;
  if (text.size() + 2 > kSubject) {
    text += '\n';
    text.append(kSubject, ' ');
  } else {
    text.resize(kSubject, ' ');
  }
  text += wrapped(line.meaning, kSubject, kSubject);
  if (!line.remedy.empty()) {
    text.append(kSubject, ' ');
    text += "-> ";
    text += wrapped(line.remedy, kSubject + 3, kSubject + 3);
  }
  return text;
}

}  // namespace

std::string doctor_text(const Verdict& verdict, const std::vector<Line>& lines) {
  std::string text = wrapped(
      (verdict.can_make_regions ? "Regions can be made here. " : "No region can be made here: ") +
          verdict.why,
      0, 0);
  const Line* previous = nullptr;
  for (const Line& line : lines) {
    if (previous == nullptr || previous->level != line.level) {
      text += fmt::format("\n{}\n", word_of(line.level));
    }
    text += one(line);
    previous = &line;
  }
  return text;
}

}  // namespace cow::tool
