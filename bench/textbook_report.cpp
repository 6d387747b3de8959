#include "textbook_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "machine.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

/// Columns on a terminal: the bytes of UTF-8 that begin a character.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t width, bool to_the_right) {
  const std::size_t own = width_of(text);
  const std::string space(width > own ? width - own : 0, ' ');
  return to_the_right ? space + text : text + space;
}

std::string without_end_spaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

bool has_absent_cell(const Table& table) {
  return std::ranges::any_of(table.rows, [](const TableRow& row) {
    return std::ranges::any_of(row.cells,
                               [](const Cell& cell) { return cell.text == absent_cell().text; });
  });
}

std::string as_text(const Table& table) {
  std::size_t first = 0;
  for (const TableRow& row : table.rows) first = std::max(first, width_of(row.what));
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t width = width_of(table.columns[i]);
    for (const TableRow& row : table.rows) width = std::max(width, width_of(row.cells[i].text));
    widths.push_back(width);
  }
  std::string text = wrapped(table.title, "  ");
  std::string line = "    " + padded("", first, false);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    line += "  " + padded(table.columns[i], widths[i], true);
  }
  text += line + "\n";
  for (const TableRow& row : table.rows) {
    line = "    " + padded(row.what, first, false);
    for (std::size_t i = 0; i < widths.size(); ++i) {
      line += "  " + padded(row.cells[i].text, widths[i], true);
    }
    text += without_end_spaces(line) + "\n";
  }
  if (!table.note.empty()) text += wrapped(table.note, "    ");
  return text;
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds: return "holds";
    case Verdict::in_part: return "in part";
    case Verdict::fails: break;
  }
  return "does not hold";
}

nlohmann::ordered_json table_as_json(const Table& table) {
  nlohmann::ordered_json json = {{"title", table.title}, {"rows", nlohmann::ordered_json::array()}};
  for (const TableRow& row : table.rows) {
    nlohmann::ordered_json cells = {{"what", row.what}};
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const Cell& cell = row.cells[i];
      if (cell.values.empty()) {
        cells[table.columns[i]] = cell.text;
      } else if (cell.values.size() == 1) {
        cells[table.columns[i]] = cell.values[0];
      } else {
        cells[table.columns[i]] = cell.values;
      }
    }
    json["rows"].push_back(cells);
  }
  return json;
}

}  // namespace

std::string wrapped(const std::string& text, const std::string& indent) {
  constexpr std::size_t columns = 80;
  std::istringstream words(text);
  std::string lines;
  std::string line = indent;
  bool is_first = true;  // word of its line
  for (std::string word; words >> word;) {
    if (!is_first && width_of(line) + 1 + width_of(word) > columns) {
      lines += line + "\n";
      line = std::string(indent.size(), ' ');
      is_first = true;
    }
    if (!is_first) line += ' ';
    line += word;
    is_first = false;
  }
  return is_first ? lines : lines + line + "\n";
}

std::string textbook_heading() {
  std::string text;
  for (const auto& [key, value] : describe_machine())
    text += wrapped(fmt::format("{}: {}", key, value), "- ");
#if !defined(NDEBUG)
  text +=
      wrapped("built without optimisation, or with assertions: no time here means anything", "- ");
#endif
  if (quick()) {
    text += wrapped(
        "COW_BENCH_QUICK is set: everything is tiny, counts are right, times mean nothing", "- ");
  }
  if (!kernel_is_missing().empty()) {
    text += wrapped("no kernel mechanism here: " + kernel_is_missing(), "- ");
  }
  return text + wrapped("times: medians of ways that took turns; counts: exact, one run", "- ");
}

std::string as_text(const Outcome& outcome, std::size_t number) {
  std::string text = "\n" + std::to_string(number) + ". " + std::string(outcome.claim->title) +
                     "  (" + std::string(outcome.claim->name) + ")\n";
  text += wrapped("The claim: " + std::string(outcome.claim->sentence), "  ") + "\n";
  if (!outcome.failed.empty()) {
    return text + wrapped("This could not be measured here: " + outcome.failed, "  ");
  }
  const std::vector<Table>& tables = outcome.evidence.tables;
  for (const Table& table : tables) text += as_text(table) + "\n";
  if (std::ranges::any_of(tables, has_absent_cell)) {
    text += wrapped("not here: " + kernel_is_missing(), "    ") + "\n";
  }
  return text + wrapped(outcome.evidence.reading.text, "  ");
}

std::string as_json(const std::vector<Outcome>& outcomes) {
  nlohmann::ordered_json json;
  for (const auto& [key, value] : describe_machine()) json["machine"][key] = value;
  json["quick"] = quick();
  if (!kernel_is_missing().empty()) json["no_kernel_mechanism"] = kernel_is_missing();
  json["claims"] = nlohmann::ordered_json::array();
  for (const Outcome& outcome : outcomes) {
    nlohmann::ordered_json claim = {{"name", outcome.claim->name},
                                    {"title", outcome.claim->title},
                                    {"claim", outcome.claim->sentence},
                                    {"seconds", outcome.seconds}};
    if (outcome.failed.empty()) {
      claim["verdict"] = name_of(outcome.evidence.reading.verdict);
      claim["reading"] = outcome.evidence.reading.text;
      claim["tables"] = nlohmann::ordered_json::array();
      for (const Table& table : outcome.evidence.tables) {
        claim["tables"].push_back(table_as_json(table));
      }
    } else {
      claim["failed"] = outcome.failed;
    }
    json["claims"].push_back(claim);
  }
  return json.dump(2) + "\n";
}

}  // namespace cow_bench
