#include "demo/view/canvas.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace cow::demo {
namespace {

// By the sides that a line leaves to: up 1, down 2, left 4, right 8.
constexpr char32_t boxes[] = {U' ', U'│', U'│', U'│', U'─', U'┘', U'┐', U'┤',
                              U'─', U'└', U'┌', U'├', U'─', U'┴', U'┬', U'┼'};
constexpr char32_t ascii_boxes[] = {U' ', U'|', U'|', U'|', U'-', U'+', U'+', U'+',
                                    U'-', U'+', U'+', U'+', U'-', U'+', U'+', U'+'};

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// The characters of a text; what takes no column or two of them, or is no UTF-8, is '?'.
std::u32string characters_of(std::string_view utf8) {
  std::u32string characters;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto first = static_cast<unsigned char>(utf8[i]);
    std::size_t length = 1;
    while (i + length < utf8.size() && is_continuation(utf8[i + length])) ++length;
    char32_t character = U'?';
    if (first >= 0x20 && first < 0x7f) character = first;
    if (length == 2 && first >= 0xc3 && first < 0xe0) {  // Latin and Greek letters and their like
      character = ((first & 0x1fU) << 6) | (static_cast<unsigned char>(utf8[i + 1]) & 0x3fU);
      if (character >= 0x300 && character < 0x370) character = U'?';  // put over others
    }
    characters.push_back(character);
    i += length;
  }
  return characters;
}

void append_utf8(std::string& text, char32_t character) {
  if (character < 0x80) {
    text += static_cast<char>(character);
  } else if (character < 0x800) {
    text += static_cast<char>(0xc0 | (character >> 6));
    text += static_cast<char>(0x80 | (character & 0x3f));
  } else {
    text += static_cast<char>(0xe0 | (character >> 12));
    text += static_cast<char>(0x80 | ((character >> 6) & 0x3f));
    text += static_cast<char>(0x80 | (character & 0x3f));
  }
}

}  // namespace

Canvas::Canvas(std::size_t rows, std::size_t columns)
    : rows_(rows), columns_(columns), cells_(rows * columns), lines_(rows * columns) {}

void Canvas::put(std::size_t row, std::size_t column, std::string_view utf8, Ink ink) {
  if (row >= rows_) return;
  for (const char32_t character : characters_of(utf8)) {
    if (column >= columns_) return;
    cells_[at(row, column)] = {character, ink};
    lines_[at(row, column)] = 0;
    ++column;
  }
}

std::size_t Canvas::put_words(std::size_t row, std::size_t column, std::size_t width,
                              std::size_t most, std::string_view utf8, Ink ink) {
  std::size_t used = 0;
  for (const std::string& line : broken_into_lines(utf8, width)) {
    if (used == most) break;
    put(row + used++, column, line, ink);
  }
  return used;
}

void Canvas::join(std::size_t row, std::size_t column, unsigned sides) {
  if (row >= rows_ || column >= columns_) return;
  lines_[at(row, column)] = static_cast<std::uint8_t>(lines_[at(row, column)] | sides);
}

void Canvas::horizontal(std::size_t row, std::size_t from, std::size_t to) {
  if (from > to) std::swap(from, to);
  for (std::size_t column = from; column <= to; ++column) {
    join(row, column, (column > from ? left : 0U) | (column < to ? right : 0U));
  }
}

void Canvas::vertical(std::size_t column, std::size_t from, std::size_t to) {
  for (std::size_t row = from; row <= to; ++row) {
    join(row, column, (row > from ? up : 0U) | (row < to ? down : 0U));
  }
}

void Canvas::rule(std::size_t row) {
  for (std::size_t column = 0; column < columns_; ++column) join(row, column, left | right);
}

Canvas::Cell Canvas::cell(std::size_t row, std::size_t column, bool ascii) const {
  COW_CHECK(row < rows_ && column < columns_);
  const Cell cell = cells_[at(row, column)];
  const std::uint8_t sides = lines_[at(row, column)];
  if (cell.glyph == U' ' && cell.ink == Ink::plain && sides != 0) {
    return {ascii ? ascii_boxes[sides] : boxes[sides], Ink::line};
  }
  if (ascii && cell.glyph >= 0x7f) return {U'?', cell.ink};
  return cell;
}

std::string Canvas::text(std::size_t row, bool ascii) const {
  std::string text;
  for (std::size_t column = 0; column < columns_; ++column) {
    append_utf8(text, cell(row, column, ascii).glyph);
  }
  const std::size_t last = text.find_last_not_of(' ');
  return last == std::string::npos ? std::string() : text.substr(0, last + 1);
}

std::size_t columns_of(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char byte) { return !is_continuation(byte); }));
}

std::vector<std::string> broken_into_lines(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    std::string_view word = text.substr(begin, end - begin);
    text.remove_prefix(end);
    // Blanks between words stay, so that columns do.
    const std::string gap = line.empty() ? std::string() : std::string(begin, ' ');
    if (!line.empty() && columns_of(line) + gap.size() + columns_of(word) > width) {
      lines.push_back(std::move(line));
      line = word;
    } else {
      line += gap;
      line += word;
    }
    // A word that is longer than a line is broken where the line ends.
    while (columns_of(line) > width) {
      std::size_t bytes = 0;
      for (std::size_t columns = 0; columns < width; ++columns) {
        do ++bytes;
        while (is_continuation(line[bytes]));
      }
      lines.push_back(line.substr(0, bytes));
      line.erase(0, bytes);
    }
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

}  // namespace cow::demo
