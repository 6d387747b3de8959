#include "tool/bench/result_text.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "measure/figures/result_json.hpp"
#include "measure/figures/statistics.hpp"
#include "measure/figures/turns.hpp"
#include "tool/bench/text.hpp"
#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

using measure::Result;
using measure::Row;
using measure::Status;

/// A row of the table: name, median, interval, ratio.
std::string table_line(std::string_view name, std::string_view median, std::string_view interval,
                       std::string_view ratio) {
  std::string line =
      fmt::format("  {:<16} {:>11}  {:<21} {}", cut_to(name, 16), median, interval, ratio);
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

std::string ratio_text(const Result& result, const Row& row) {
  const Row* other = measure::counterpart(result, row);
  if (other == nullptr) return {};
  const measure::Against against = measure::compare(row, *other);
  if (against.difference == measure::Difference::none) return "no difference seen";
  if (!against.has_ratio()) return measure::to_string(against.difference);
  return fmt::format("{} ({} to {})", digits(against.ratio), digits(against.interval.low),
                     digits(against.interval.high));
}

bool is_of_workload(const Row& row, const Row& first) {
  return row.experiment == first.experiment && row.workload == first.workload;
}

/// Of every measured row of the workload: said once for all of them.
bool is_shared(const Result& result, const Row& first, const std::string& warning) {
  return std::ranges::all_of(result.rows, [&](const Row& row) {
    return !is_of_workload(row, first) || row.status != Status::measured ||
           std::ranges::find(row.warnings, warning) != row.warnings.end();
  });
}

void print_row(Screen& screen, const Result& result, const Row& row) {
  const std::string name = printable(row.mechanism);
  if (row.status != Status::measured) {
    screen.text(2, fmt::format("{:<16} {}: {}", cut_to(name, 16), measure::to_string(row.status),
                               printable(row.reason)));
    return;
  }
  screen.line("{}",
              table_line(name, figure(measure::median(row.samples), row.unit),
                         figure(measure::median_interval(row), row.unit), ratio_text(result, row)));
  for (const std::string& warning : row.warnings) {
    if (!is_shared(result, row, warning)) screen.text(19, "! " + printable(warning));
  }
  const Row* other = measure::counterpart(result, row);
  if (row.at_most.has_value() && other != nullptr && !result.is_quick) {
    const double ratio = measure::compare(row, *other).ratio;
    screen.text(19, fmt::format("to be at most {}: {}", digits(*row.at_most),
                                ratio <= *row.at_most ? "met" : "not met"));
  }
}

void print_workload(Screen& screen, const Result& result, const Row& first) {
  screen.blank();
  screen.text(0, screen.paint(Style::highlight, printable(first.workload)));
  if (!first.sample.empty()) screen.text(0, "one sample: " + printable(first.sample));
  std::string against;
  const Row* measured = nullptr;
  for (const Row& row : result.rows) {
    if (!is_of_workload(row, first)) continue;
    if (!row.against.empty()) against = "beside " + printable(row.against);
    if (row.status == Status::measured && measured == nullptr) measured = &row;
  }
  if (measured != nullptr) {
    for (const std::string& warning : measured->warnings) {
      if (is_shared(result, first, warning)) screen.text(0, "! " + printable(warning));
    }
  }
  screen.line("{}", screen.paint(Style::dim, table_line("", "median", "95 % interval", against)));
}

}  // namespace

void print_warnings(Screen& screen, const Result& result) {
  if (result.warnings.empty()) return;
  screen.blank();
  screen.line("{}", screen.paint(Style::heading, "To be taken with care:"));
  for (const std::string& warning : result.warnings) screen.text(2, printable(warning));
  screen.flush();
}

void print_result(Screen& screen, const Result& result,
                  std::span<const measure::Experiment> experiments) {
  const Row* before = nullptr;
  for (const Row& row : result.rows) {
    if (before == nullptr || before->experiment != row.experiment) {
      const auto found = std::ranges::find(experiments, std::string_view(row.experiment),
                                           &measure::Experiment::name);
      if (before != nullptr) screen.blank();
      screen.text(0, screen.paint(Style::heading,
                                  found == experiments.end()
                                      ? printable(row.experiment)
                                      : fmt::format("{}: {}", found->name, found->question)));
    }
    const bool is_new = before == nullptr || before->experiment != row.experiment ||
                        before->workload != row.workload;
    if (is_new) print_workload(screen, result, row);
    print_row(screen, result, row);
    before = &row;
  }
  if (result.rows.empty()) screen.line("Nothing was measured.");
  print_warnings(screen, result);
  screen.blank();
  const auto measured =
      static_cast<std::uint64_t>(std::ranges::count(result.rows, Status::measured, &Row::status));
  screen.line("{} measured, {} not, in {} s.", counted(measured, "row"),
              result.rows.size() - measured, digits(result.duration_s));
  screen.flush();
}

void print_check(Screen& screen, const measure::Check& check, const std::string& baseline) {
  screen.blank();
  screen.text(0, screen.paint(Style::heading, "Beside " + printable(baseline)));
  for (const std::string& difference : check.environment_differences) {
    screen.text(2, "! " + printable(difference));
  }
  std::size_t same = 0;
  for (const measure::Change& change : check.changes) {
    if (!change.is_slower && !change.is_faster) {
      ++same;
      continue;
    }
    const std::string_view word = change.unit == "ns" ? (change.is_slower ? "slower" : "faster")
                                                      : (change.is_slower ? "more" : "less");
    screen.text(2, fmt::format("{}: {}: {} before, {} now, {} times as {}",
                               screen.paint(change.is_slower ? Style::bad : Style::good, word),
                               printable(change.name), figure(change.before, change.unit),
                               figure(change.after, change.unit), digits(change.against.ratio),
                               change.unit == "ns" ? "long" : "much"));
  }
  for (const std::string& name : check.missing) screen.text(2, "missing: " + printable(name));
  for (const std::string& note : check.notes) screen.text(2, "! " + printable(note));
  screen.text(0, fmt::format("{} not changed beyond noise; {}.", counted(same, "row"),
                             check.limit_words()));
  screen.flush();
}

}  // namespace cow::tool
