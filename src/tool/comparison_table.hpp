#pragma once

#include <vector>

#include "tool/comparison.hpp"
#include "tool/screen.hpp"

namespace cow::tool {

/// Prints rows as soon as they are known: two lines each, lazy above eager.
class ComparisonTable {
 public:
  explicit ComparisonTable(Screen& screen) : screen_(screen) {}

  void print_head();
  void print_row(const ComparisonRow& row);

  /// One sentence: who won where.
  void print_verdict(const std::vector<ComparisonRow>& rows);

 private:
  Screen& screen_;
};

/// "lazy", "eager" or "draw".
[[nodiscard]] const char* name_of(Winner winner) noexcept;

/// 0.001 -> "0.1 %".
[[nodiscard]] std::string percent_text(double fraction);

}  // namespace cow::tool
