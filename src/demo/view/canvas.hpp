#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cow::demo {

/// What a cell is for; a screen has colours for it, a text has none.
enum class Ink : std::uint8_t {
  plain,
  dim,
  title,
  strong,
  unmapped,
  zero,
  shared,
  sole_owner,
  private_page,
  leased,
  kept,
  marked,  ///< what to look at
  line,
  question,
  past,
};

inline constexpr std::size_t ink_count = 15;

/// A rectangle of characters with lines in it. Nothing can be drawn past its edges.
class Canvas {
 public:
  struct Cell {
    char32_t glyph = U' ';
    Ink ink = Ink::plain;
  };

  Canvas(std::size_t rows, std::size_t columns);

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t columns() const { return columns_; }

  /// Text on one line, cut off at the right edge.
  void put(std::size_t row, std::size_t column, std::string_view utf8, Ink ink = Ink::plain);
  /// Words, broken into lines of `width` columns, at most `most` of them; how many it took.
  std::size_t put_words(std::size_t row, std::size_t column, std::size_t width, std::size_t most,
                        std::string_view utf8, Ink ink = Ink::plain);

  /// A line from one column to the other, both included. Where lines meet they join.
  void horizontal(std::size_t row, std::size_t from, std::size_t to);
  void vertical(std::size_t column, std::size_t from, std::size_t to);
  /// A line across the whole width, which joins with none.
  void rule(std::size_t row);

  /// With the lines drawn, in characters for boxes or in ASCII.
  [[nodiscard]] Cell cell(std::size_t row, std::size_t column, bool ascii) const;
  /// A row without the blanks at its end.
  [[nodiscard]] std::string text(std::size_t row, bool ascii) const;

 private:
  // The sides of a cell that a line leaves to.
  static constexpr unsigned up = 1;
  static constexpr unsigned down = 2;
  static constexpr unsigned left = 4;
  static constexpr unsigned right = 8;

  [[nodiscard]] std::size_t at(std::size_t row, std::size_t column) const {
    return row * columns_ + column;
  }
  void join(std::size_t row, std::size_t column, unsigned sides);

  std::size_t rows_;
  std::size_t columns_;
  std::vector<Cell> cells_;
  std::vector<std::uint8_t> lines_;
};

/// Lines of at most `width` columns.
[[nodiscard]] std::vector<std::string> broken_into_lines(std::string_view text, std::size_t width);

/// How many characters, which are columns here.
[[nodiscard]] std::size_t columns_of(std::string_view utf8);

}  // namespace cow::demo
