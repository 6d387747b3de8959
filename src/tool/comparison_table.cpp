#include "tool/comparison_table.hpp"

#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

std::string milliseconds(std::uint64_t ns) { return fixed(static_cast<double>(ns) / 1e6, 3); }

std::string mebibytes(std::size_t bytes) {
  return fixed(static_cast<double>(bytes) / (1024.0 * 1024.0), 2);
}

std::string ratio_text(double ratio) { return fixed(ratio, ratio < 10 ? 1 : 0) + " x faster"; }

// "1, 2 and 3".
std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace

const char* name_of(Winner winner) noexcept {
  switch (winner) {
    case Winner::lazy: return "lazy";
    case Winner::eager: return "eager";
    case Winner::draw: break;
  }
  return "draw";
}

std::string percent_text(double fraction) { return fmt::format("{:g} %", fraction * 100); }

void ComparisonTable::print_head() {
  print_cells("", "", {"clone", "edits", "total", "memory"}, "");
  print_cells("pages edited", "mode", {"ms", "ms", "ms", "MiB"}, "");
  screen_.line("   {}", std::string(row_width() - indent, '-'));
  screen_.flush();
}

void ComparisonTable::print_row(const ComparisonRow& row) {
  const Winner winner = row.winner();
  const auto print = [&](const std::string& first, Winner mode, const CloneCost& cost) {
    const bool won = mode == winner;
    print_cells(first, name_of(mode),
                {milliseconds(cost.clone_ns), milliseconds(cost.edit_ns),
                 milliseconds(cost.total_ns()), mebibytes(cost.memory_bytes)},
                won ? ratio_text(row.ratio()) : "", won ? Style::good : Style::plain);
  };
  print(fmt::format("{:>5}{:>7}", percent_text(row.fraction), with_commas(row.pages)), Winner::lazy,
        row.lazy);
  print("", Winner::eager, row.eager);
  if (winner == Winner::draw) screen_.line("   {:<13}{}", "", "a draw, within 5 %");
  screen_.flush();
}

// Where a row and its ratio do not fit side by side, the ratio has a line of its own; where the
// cells do not, those of the clone and of the edits are left out, which add up to the total.
void ComparisonTable::print_cells(const std::string& first, const std::string& mode,
                                  const std::array<std::string, 4>& cells, const std::string& ratio,
                                  Style style) {
  std::string text = fmt::format("   {:<13}{:<6}", first, mode);
  for (std::size_t i = shows_parts() ? 0 : 2; i < cells.size(); ++i) {
    text += fmt::format("{:>9}", cells[i]);
  }
  if (ratio.empty()) {
    screen_.line("{}", screen_.paint(style, text));
  } else if (screen_.columns() >= row_width() + 2 + longest_ratio) {
    screen_.line("{}", screen_.paint(style, text + "  " + ratio));
  } else {
    screen_.line("{}", screen_.paint(style, text));
    screen_.line("   {:<13}{}", "", screen_.paint(style, "      " + ratio));
  }
}

void ComparisonTable::print_verdict(const std::vector<ComparisonRow>& rows) {
  for (const Winner winner : {Winner::lazy, Winner::eager, Winner::draw}) {
    std::vector<std::string> where;
    for (const ComparisonRow& row : rows) {
      if (row.winner() == winner) where.push_back(percent_text(row.fraction));
    }
    if (where.empty()) continue;
    const char* what = "A draw";
    if (winner == Winner::lazy) what = "Lazy wins";
    if (winner == Winner::eager) what = "Eager wins";
    screen_.text(indent, fmt::format("{} with {} of the pages edited.", what, joined(where)));
  }
}

}  // namespace cow::tool
