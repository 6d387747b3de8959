#include <set>

#include <fmt/format.h>

#include "tool/quantity.hpp"
#include "tool/report/advice.hpp"
#include "tool/report/beside_tables.hpp"
#include "tool/report/mechanism_names.hpp"
#include "tool/report/result_changes.hpp"
#include "tool/report/result_tables.hpp"
#include "tool/report/result_text.hpp"

namespace cow::tool {
namespace {

// In a cell or a paragraph; nothing in it ends the cell or begins a tag.
std::string escaped(std::string_view words) {
  std::string text;
  for (const char letter : printable(words)) {
    if (letter == '|' || letter == '<' || letter == '*' || letter == '_' || letter == '`' ||
        letter == '\\' || letter == '[') {
      text += '\\';
    }
    text += letter;
  }
  return text;
}

// A mark of what is to be taken with care.
std::string care(const ResultRow& row) { return row.row.warnings.empty() ? "" : " \\*"; }

std::string cell(const ResultRow* row) {
  if (row == nullptr) return "";
  if (row->row.status == measure::Status::skipped) return "\u2013";
  if (row->row.status == measure::Status::failed) return "failed";
  std::string words = figure_words(row->median, row->row.unit, "\u00b5s");
  if (!row->against.has_value()) return words + care(*row);
  if (likeness_to_against(*row) == Likeness::same) return words + " (\u2248)" + care(*row);
  if (likeness_to_against(*row) == Likeness::too_few) return words + " (?)" + care(*row);
  return fmt::format("{} ({}){}", words, ratio_words(row->against->ratio), care(*row));
}

std::string matrix(const ResultTable& table) {
  std::string text = "| |";
  std::string rule = "|---|";
  for (const std::string& mechanism : table.mechanisms) {
    text += fmt::format(" {} |", escaped(mechanism_title(mechanism)));
    rule += "---:|";
  }
  text += "\n" + rule + "\n";
  for (const auto& line : table.lines) {
    text += fmt::format("| {} |", escaped(line.workload));
    for (std::size_t i = 0; i < table.mechanisms.size(); ++i) {
      text += fmt::format(" {} |", i < line.cells.size() ? cell(line.cells[i]) : "");
    }
    text += "\n";
  }
  return text;
}

std::string asked(const ResultRow& row) {
  if (!row.row.at_most.has_value()) return " \u2013 | \u2013 |";
  const std::string reach = " \u2264 " + ratio_words(*row.row.at_most);
  if (!row.against.has_value()) return reach + " | not measured |";
  return reach + (row.against->ratio <= *row.row.at_most ? " | met |" : " | **not met** |");
}

bool is_asked(const ResultTable& table) {
  for (const auto& line : table.lines) {
    for (const ResultRow* row : line.cells) {
      if (row != nullptr && row->row.at_most.has_value()) return true;
    }
  }
  return false;
}

const ResultRow* row_of(const ResultTable::Line& line, const std::string& mechanism) {
  for (const ResultRow* row : line.cells) {
    if (row != nullptr && row->row.mechanism == mechanism) return row;
  }
  return nullptr;
}

// As the tables of figures to reach have always been.
std::string list(const ResultTable& table) {
  // What is to be reached has columns where something is.
  const bool has_aims = is_asked(table);
  std::string text = "| what | | against | ratio |";
  text += has_aims ? " reach | |\n|---|---|---|---|---|---|\n" : "\n|---|---|---|---|\n";
  for (const auto& line : table.lines) {
    for (const ResultRow* row : line.cells) {
      if (row == nullptr || (row->row.against.empty() && row->is_measured())) continue;
      const auto side = [&](const ResultRow* one, const std::string& name) {
        if (one == nullptr || !one->is_measured()) return escaped(name) + ": \u2013";
        return fmt::format("{}: {}", escaped(name),
                           figure_words(one->median, one->row.unit, "\u00b5s"));
      };
      const std::string ratio =
          row->against.has_value() ? ratio_words(row->against->ratio) : "\u2013";
      text += fmt::format("| {} | {} | {} | {} |{}\n", escaped(line.workload),
                          side(row, row->row.mechanism),
                          side(row_of(line, row->row.against), row->row.against), ratio,
                          has_aims ? asked(*row) : "");
    }
  }
  return text;
}

std::string grid_table(const Grid& grid) {
  std::string text = "| " + escaped(grid.title) + " |";
  std::string rule = "|---|";
  for (const std::string& mechanism : grid.mechanisms) {
    text += fmt::format(" {} |", escaped(mechanism_title(mechanism)));
    rule += "---:|";
  }
  text += "\n" + rule + "\n";
  for (const Grid::Line& line : grid.lines) {
    text += fmt::format("| {} |", escaped(line.name));
    for (const std::string& words : line.cells) text += fmt::format(" {} |", words);
    text += "\n";
  }
  return text;
}

std::string beside(const ResultFile& file, const std::string& experiment) {
  std::string text;
  for (const std::string& sentence : fault_shares(file, experiment)) {
    text += escaped(sentence) + ".\n\n";
  }
  for (const Grid& grid : beside_tables(file, experiment, "\u00b5s")) {
    text += grid_table(grid) + "\n";
  }
  return text;
}

std::string changes_table(const measure::Check& check) {
  std::string text = "| | A | B | B / A | |\n|---|---:|---:|---:|---|\n";
  for (const measure::Change& change : check.changes) {
    text += fmt::format("| {} | {} | {} | {} | {} |\n", escaped(change.name),
                        figure_words(change.before, change.unit, "\u00b5s"),
                        figure_words(change.after, change.unit, "\u00b5s"),
                        change.against.has_ratio() ? ratio_words(change.against.ratio) : "\u2013",
                        change_words(change));
  }
  for (const std::string& name : check.missing) {
    text += fmt::format("| {} | | \u2013 | | not measured in B |\n", escaped(name));
  }
  return text;
}

std::string items(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text += "- " + escaped(sentence) + "\n";
  return text.empty() ? text : text + "\n";
}

}  // namespace

std::string markdown_tables(const ResultFile& file, const std::string& experiment) {
  std::string text;
  for (const ResultTable& table : tables_of(file)) {
    if (table.experiment != experiment) continue;
    if (!text.empty()) text += "\n";
    text += table.is_list() ? list(table) : matrix(table);
  }
  return text;
}

std::string markdown_of(std::span<const ResultFile> files) {
  const Comparisons comparisons = compare_results(files);
  std::string text;
  for (const ResultFile& file : files) {
    const std::string label = files.size() > 1 ? "**" + escaped(file.label) + "**: " : "";
    text += fmt::format("{}{}.\n\n", label, escaped(environment_line(file)));
    text += items(advice_of(file).general);
  }
  text += items(comparisons.notes);
  if (comparisons.check.has_value()) text += changes_table(*comparisons.check) + "\n";
  for (const ResultFile& file : files) {
    std::set<std::string> done;
    for (const ResultTable& table : tables_of(file)) {
      if (!done.insert(table.experiment).second) continue;  // with the other units
      const std::string label = files.size() > 1 ? ", " + escaped(file.label) : "";
      text += fmt::format("**{}**{}{}\n\n{}\n", escaped(table.experiment), label,
                          table.sample.empty() ? "" : ": " + escaped(table.sample),
                          markdown_tables(file, table.experiment));
      text += beside(file, table.experiment);
    }
  }
  for (const ResultFile& file : files) {
    const std::vector<std::string> detailed = advice_of(file).detailed;
    if (detailed.empty()) continue;
    const std::string label = files.size() > 1 ? ", " + escaped(file.label) : "";
    text += fmt::format("**What to take, by workload**{}\n\n{}", label, items(detailed));
  }
  return text + "Medians; in brackets the ratio of medians to what a mechanism is compared with, "
                "\u2248 where no difference is seen, ? where samples are too few to tell; "
                "\\* to be taken with care; \u2013 not measured.\n";
}

}  // namespace cow::tool
