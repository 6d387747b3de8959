#include "tool/report/result_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "tool/quantity.hpp"
#include "tool/report/advice.hpp"
#include "tool/report/beside_tables.hpp"
#include "tool/report/result_changes.hpp"
#include "tool/report/result_tables.hpp"

namespace cow::tool {
namespace {

// Text of files may have any letters; screens of any kind show these.
std::string ascii(std::string_view words) {
  std::string text;
  for (const char letter : printable(words)) {
    const auto code = static_cast<unsigned char>(letter);
    if (code < 0x80) {
      text += letter;
    } else if (code >= 0xc0) {
      text += '?';  // once for a character
    }
  }
  return text;
}

bool is_same_as_against(const ResultRow& row) { return likeness_to_against(row) == Likeness::same; }

bool has_too_few(const ResultRow& row) { return likeness_to_against(row) == Likeness::too_few; }

std::string cell_words(const ResultRow* row) {
  if (row == nullptr) return "";
  if (row->row.status == measure::Status::skipped) return "-";
  if (row->row.status == measure::Status::failed) return "failed";
  std::string words = figure_words(row->median, row->row.unit);
  if (is_same_as_against(*row)) words += "~";
  if (has_too_few(*row)) words += "?";
  if (!row->row.warnings.empty()) words += "*";
  return words;
}

constexpr std::size_t indent = 3;
constexpr std::size_t most_workload = 24;
constexpr std::size_t few_mechanisms = 4;

// Columns from `first` on that the screen has room for.
std::size_t print_columns(Screen& screen, const Grid& grid, std::size_t name_width,
                          std::size_t first) {
  std::vector<std::size_t> widths;
  std::size_t used = indent + name_width;
  std::size_t end = first;
  for (; end < grid.mechanisms.size(); ++end) {
    std::size_t width = ascii(grid.mechanisms[end]).size();
    for (const Grid::Line& line : grid.lines) width = std::max(width, line.cells[end].size());
    if (end > first && used + width + 2 > screen.columns()) break;
    widths.push_back(width + 2);
    used += width + 2;
  }
  std::string head(indent + name_width, ' ');
  for (std::size_t i = first; i < end; ++i) {
    head += fmt::format("{:>{}}", ascii(grid.mechanisms[i]), widths[i - first]);
  }
  screen.line("{}", head);
  for (const Grid::Line& line : grid.lines) {
    const std::string name = ascii(line.name);
    std::string text(indent, ' ');
    if (name.size() > name_width) {
      screen.text(indent, name);
      text += std::string(name_width, ' ');
    } else {
      text += fmt::format("{:<{}}", name, name_width);
    }
    for (std::size_t i = first; i < end; ++i) {
      text += fmt::format("{:>{}}", line.cells[i], widths[i - first]);
    }
    screen.line("{}", text);
  }
  return end;
}

void print_grid(Screen& screen, const Grid& grid) {
  std::size_t width = 0;
  for (const Grid::Line& line : grid.lines) width = std::max(width, ascii(line.name).size());
  // Longer ones have a line of their own, so that columns have room.
  if (grid.mechanisms.size() > few_mechanisms) width = std::min(width, most_workload);
  width = std::min(width, screen.columns() / 2);
  for (std::size_t first = 0; first < grid.mechanisms.size();) {
    first = print_columns(screen, grid, width, first);
  }
}

Grid grid_of(const ResultTable& table) {
  Grid grid{.title = table.experiment, .mechanisms = table.mechanisms};
  for (const ResultTable::Line& line : table.lines) {
    grid.lines.push_back({.name = line.workload});
    for (const ResultRow* row : line.cells) grid.lines.back().cells.push_back(cell_words(row));
    grid.lines.back().cells.resize(table.mechanisms.size());
  }
  return grid;
}

void print_list(Screen& screen, const ResultTable& table) {
  for (const auto& line : table.lines) {
    screen.text(indent, ascii(line.workload));
    for (const ResultRow* row : line.cells) {
      if (row == nullptr) continue;
      std::string words = fmt::format("{:>12}  {}", cell_words(row), ascii(row->row.mechanism));
      if (row->against.has_value()) {
        words += fmt::format("; {} of {}", ratio_words(row->against->ratio),
                             ascii(row->against->mechanism));
      }
      if (row->row.at_most.has_value()) {
        words += fmt::format(" (at most {})", ratio_words(*row->row.at_most));
      }
      screen.text(indent + 2, words);
    }
  }
}

void print_table(Screen& screen, const ResultTable& table) {
  screen.blank();
  std::string title = ascii(table.experiment);
  if (!table.sample.empty()) title += ": " + ascii(table.sample);
  screen.text(indent, title);
  if (table.is_list()) {
    print_list(screen, table);
    return;
  }
  print_grid(screen, grid_of(table));
}

void print_beside(Screen& screen, const ResultFile& file, const std::string& experiment) {
  for (const std::string& sentence : fault_shares(file, experiment)) {
    screen.text(indent, ascii(sentence) + ".");
  }
  for (const Grid& grid : beside_tables(file, experiment)) {
    screen.blank();
    screen.text(indent, ascii(grid.title));
    print_grid(screen, grid);
  }
}

void print_tables(Screen& screen, const ResultFile& file) {
  const std::vector<ResultTable> tables = tables_of(file);
  for (std::size_t i = 0; i < tables.size(); ++i) {
    print_table(screen, tables[i]);
    // After the last table of an experiment: it has one for each unit.
    const auto next = tables.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    const bool is_last = std::none_of(next, tables.end(), [&](const ResultTable& other) {
      return other.experiment == tables[i].experiment;
    });
    if (is_last) print_beside(screen, file, tables[i].experiment);
  }
}

bool has(std::span<const ResultFile> files, bool (*is_so)(const ResultRow&)) {
  return std::any_of(files.begin(), files.end(), [&](const ResultFile& file) {
    return std::any_of(file.rows.begin(), file.rows.end(), is_so);
  });
}

void print_legend(Screen& screen, std::span<const ResultFile> files) {
  screen.blank();
  std::string words = "Medians.";
  if (has(files, [](const ResultRow& row) { return !row.is_measured(); })) {
    words += " -: not measured, for a reason above.";
  }
  if (has(files, is_same_as_against)) {
    words += " ~: no difference seen to what it is compared with.";
  }
  if (has(files, has_too_few)) {
    words += " ?: too few samples to tell it apart from what it is compared with.";
  }
  if (has(files, [](const ResultRow& row) { return !row.row.warnings.empty(); })) {
    words += " *: to be taken with care, for a reason above.";
  }
  screen.text(indent, words);
}

void print_list_of(Screen& screen, std::string_view title,
                   const std::vector<std::string>& sentences) {
  if (sentences.empty()) return;
  screen.blank();
  screen.text(indent, title);
  for (const std::string& sentence : sentences) screen.text(indent + 2, "- " + ascii(sentence));
}

void print_changes(Screen& screen, const measure::Check& check) {
  screen.blank();
  std::size_t same = 0;
  std::vector<std::string> changed;
  for (const measure::Change& change : check.changes) {
    if (!change.is_slower && !change.is_faster) {
      ++same;
      continue;
    }
    changed.push_back(fmt::format("{}: {}, {} before, {} now ({} of it)", change.name,
                                  change_words(change), figure_words(change.before, change.unit),
                                  figure_words(change.after, change.unit),
                                  ratio_words(change.against.ratio)));
  }
  screen.text(indent, changed.empty() ? "From A to B nothing changed beyond noise."
                                      : "What changed from A to B beyond noise");
  for (const std::string& sentence : changed) screen.text(indent + 2, "- " + ascii(sentence));
  if (same > 0) {
    screen.text(indent + 2, fmt::format("- {}: no difference seen", counted(same, "row")));
  }
  for (const std::string& name : check.missing) {
    screen.text(indent + 2, fmt::format("- {}: measured in A, not in B", ascii(name)));
  }
  screen.text(indent + 2, fmt::format("- {}", check.limit_words()));
}

}  // namespace

void print_results(Screen& screen, std::span<const ResultFile> files) {
  const Comparisons comparisons = compare_results(files);
  for (const ResultFile& file : files) {
    screen.title(ascii(file.label));
    screen.text(indent, ascii(environment_line(file)));
    print_list_of(screen, "What to take here", advice_of(file).general);
  }
  print_list_of(screen, "To be known first", comparisons.notes);
  if (comparisons.check.has_value()) print_changes(screen, *comparisons.check);
  for (const ResultFile& file : files) {
    if (files.size() > 1) screen.title("Figures of " + ascii(file.label));
    print_tables(screen, file);
  }
  print_legend(screen, files);
  for (const ResultFile& file : files) {
    print_list_of(screen,
                  files.size() > 1 ? "What to take, by workload: " + ascii(file.label)
                                   : "What to take, by workload",
                  advice_of(file).detailed);
  }
  screen.blank();
  screen.text(indent,
              "More: -o OUT.html makes a page with pictures, --figures FOLDER an SVG file of each, "
              "--markdown tables for an issue.");
}

}  // namespace cow::tool
