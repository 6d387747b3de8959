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
  screen_.line("  {:<14}{:<6}{:>10}{:>10}{:>10}{:>9}", "", "", "clone", "edits", "total", "memory");
  screen_.line("  {:<14}{:<6}{:>10}{:>10}{:>10}{:>9}", "pages edited", "mode", "ms", "ms", "ms",
               "MiB");
  screen_.line("  {}", std::string(76, '-'));
  screen_.flush();
}

void ComparisonTable::print_row(const ComparisonRow& row) {
  const Winner winner = row.winner();
  const auto print = [&](const std::string& first, Winner mode, const CloneCost& cost) {
    std::string text = fmt::format("  {:<14}{:<6}{:>10}{:>10}{:>10}{:>9}", first, name_of(mode),
                                   milliseconds(cost.clone_ns), milliseconds(cost.edit_ns),
                                   milliseconds(cost.total_ns()), mebibytes(cost.memory_bytes));
    if (mode == winner) text += "  " + ratio_text(row.ratio());
    screen_.line("{}", screen_.paint(mode == winner ? Style::good : Style::plain, text));
  };
  print(fmt::format("{:>5}{:>7}", percent_text(row.fraction), with_commas(row.pages)), Winner::lazy,
        row.lazy);
  print("", Winner::eager, row.eager);
  if (winner == Winner::draw) screen_.line("  {:<14}{}", "", "a draw: less than 5 % apart");
  screen_.flush();
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
    screen_.line("  {} with {} of the pages edited.", what, joined(where));
  }
}

}  // namespace cow::tool
