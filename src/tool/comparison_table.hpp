#pragma once

#include <array>
#include <string>
#include <vector>

#include "tool/comparison.hpp"
#include "tool/screen.hpp"

namespace cow::tool {

/// Prints rows as soon as they are known, lazy above eager.
class ComparisonTable {
 public:
  explicit ComparisonTable(Screen& screen) : screen_(screen) {}

  void print_head();
  void print_row(const ComparisonRow& row);

  /// One sentence: who won where.
  void print_verdict(const std::vector<ComparisonRow>& rows);

 private:
  static constexpr std::size_t indent = 3;
  static constexpr std::size_t longest_ratio = 14;  ///< "12345 x faster"

  [[nodiscard]] bool shows_parts() const { return screen_.columns() >= 60; }
  [[nodiscard]] std::size_t row_width() const { return indent + 19 + (shows_parts() ? 36 : 18); }
  void print_cells(const std::string& first, const std::string& mode,
                   const std::array<std::string, 4>& cells, const std::string& ratio,
                   Style style = Style::plain);

  Screen& screen_;
};

/// "lazy", "eager" or "draw".
[[nodiscard]] const char* name_of(Winner winner) noexcept;

/// 0.001 -> "0.1 %".
[[nodiscard]] std::string percent_text(double fraction);

}  // namespace cow::tool
