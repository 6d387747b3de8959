#include "tool/report/beside_tables.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "tool/report/mechanism_names.hpp"
#include "tool/report/result_tables.hpp"

namespace cow::tool {
namespace {

using Values = std::vector<std::pair<std::string, double>>;

// The clock's own time is of the method; the other count of minor faults is the same once more,
// and worth saying only where it is the only one.
bool is_shown(const ResultRow& row, const std::string& name) {
  if (name == "clock ns") return false;
  if (name != "minor faults, getrusage") return true;
  return std::none_of(row.row.counts.begin(), row.row.counts.end(),
                      [](const auto& count) { return count.first == "minor faults"; });
}

Values counts_of(const ResultRow& row) {
  Values shown;
  for (const auto& [name, count] : row.row.counts) {
    if (is_shown(row, name)) shown.emplace_back(name, count);
  }
  return shown;
}

Grid& grid_for(std::vector<Grid>& grids, const std::string& title) {
  for (Grid& grid : grids) {
    if (grid.title == title) return grid;
  }
  grids.push_back({.title = title});
  return grids.back();
}

Grid::Line& line_for(Grid& grid, const std::string& name) {
  for (Grid::Line& line : grid.lines) {
    if (line.name == name) return line;
  }
  grid.lines.push_back({.name = name});
  return grid.lines.back();
}

void add_column(Grid& grid, const ResultRow& row, const Values& values, const std::string& unit,
                const std::string& micro) {
  const auto found = std::find(grid.mechanisms.begin(), grid.mechanisms.end(), row.row.mechanism);
  const auto column = static_cast<std::size_t>(found - grid.mechanisms.begin());
  if (found == grid.mechanisms.end()) grid.mechanisms.push_back(row.row.mechanism);
  for (const auto& [name, value] : values) {
    Grid::Line& line = line_for(grid, name);
    line.cells.resize(std::max(line.cells.size(), column + 1));
    line.cells[column] = figure_words(value, unit, micro);
  }
}

}  // namespace

std::vector<Grid> beside_tables(const ResultFile& file, std::string_view experiment,
                                const std::string& micro) {
  std::vector<const ResultRow*> rows;
  for (const ResultRow& row : file.rows) {
    if (row.row.experiment == experiment && row.is_measured()) rows.push_back(&row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const ResultRow* a, const ResultRow* b) {
    return mechanism_order(a->row.mechanism) < mechanism_order(b->row.mechanism);
  });
  std::vector<Grid> grids;
  for (const ResultRow* row : rows) {
    if (!row->parts.empty()) {
      add_column(grid_for(grids, row->row.workload + ": parts of a sample, medians"), *row,
                 row->parts, row->row.unit, micro);
    }
    const Values counts = counts_of(*row);
    if (counts.size() == 1) {
      // A line for each workload; a table for each would have one line.
      add_column(grid_for(grids, counts.front().first + ": counted for each sample"), *row,
                 {{row->row.workload, counts.front().second}}, "", micro);
    } else if (!counts.empty()) {
      add_column(grid_for(grids, row->row.workload + ": counted for each sample"), *row, counts, "",
                 micro);
    }
  }
  for (Grid& grid : grids) {
    for (Grid::Line& line : grid.lines) line.cells.resize(grid.mechanisms.size());
  }
  return grids;
}

std::vector<std::string> fault_shares(const ResultFile& file, std::string_view experiment) {
  std::vector<std::string> sentences;
  for (const ResultRow& row : file.rows) {
    if (row.row.experiment != experiment || !row.is_measured()) continue;
    const std::string words = fault_share_words(row);
    if (words.empty()) continue;
    sentences.push_back(fmt::format("{}, {}: {}; the others found a page that could be written",
                                    row.row.workload, mechanism_title(row.row.mechanism), words));
  }
  return sentences;
}

}  // namespace cow::tool
