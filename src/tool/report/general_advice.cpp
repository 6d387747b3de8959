// The few sentences on top: what holds over all workloads of a kind.

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tool/quantity.hpp"
#include "tool/report/advice.hpp"
#include "tool/report/choice.hpp"
#include "tool/report/curves.hpp"
#include "tool/report/mechanism_names.hpp"
#include "tool/report/result_tables.hpp"
#include "tool/report/share_words.hpp"
#include "tool/report/trace_caveat.hpp"

namespace cow::tool {
namespace {

/// One workload of an experiment.
struct Place {
  ChoiceRows rows;
  Choice choice;
};

std::vector<Place> places_of(const ResultFile& file, std::string_view experiment) {
  std::vector<Place> places;
  for (const ResultTable& table : tables_of(file)) {
    if (table.experiment != experiment || table.unit != "ns") continue;
    for (const ResultTable::Line& line : table.lines) {
      ChoiceRows rows;
      for (const ResultRow* row : line.cells) {
        if (row != nullptr && row->is_measured()) rows.push_back(row);
      }
      std::optional<Choice> choice = choice_of(experiment, rows);
      if (choice.has_value() && !choice->is_too_few) places.push_back({rows, std::move(*choice)});
    }
  }
  return places;
}

bool is_among(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// That which is best under most workloads.
std::string most_often_best(const std::vector<Place>& places) {
  std::vector<std::pair<std::string, std::size_t>> counts;
  for (const Place& place : places) {
    for (const std::string& mechanism : place.choice.mechanisms) {
      const auto found = std::find_if(counts.begin(), counts.end(),
                                      [&](const auto& one) { return one.first == mechanism; });
      if (found == counts.end()) {
        counts.emplace_back(mechanism, 1);
      } else {
        ++found->second;
      }
    }
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
        if (a.second != b.second) return a.second < b.second;
        return mechanism_order(a.first) > mechanism_order(b.first);
      });
  return most == counts.end() ? "" : most->first;
}

// "0.05 to 0.4 of fork()", of the workloads in which `mechanism` is compared and seen to be less.
std::string ratio_range(const std::vector<Place>& places, const std::string& mechanism) {
  std::optional<std::pair<double, double>> range;
  std::string base;
  for (const Place& place : places) {
    for (const ResultRow* row : place.rows) {
      const bool is_seen = row->row.mechanism == mechanism && row->against.has_value() &&
                           row->against->difference == measure::Difference::less;
      if (!is_seen || !is_among(place.choice.mechanisms, mechanism)) continue;
      if (!base.empty() && base != row->against->mechanism) return "";
      base = row->against->mechanism;
      const double ratio = row->against->ratio;
      range = range.has_value()
                  ? std::make_pair(std::min(range->first, ratio), std::max(range->second, ratio))
                  : std::make_pair(ratio, ratio);
    }
  }
  if (!range.has_value()) return "";
  return fmt::format(", at {} of {}", ratios_text(range->first, range->second),
                     mechanism_title(base));
}

void add_most_often(std::vector<std::string>& sentences, const ResultFile& file,
                    std::string_view experiment, std::string_view purpose) {
  const std::vector<Place> places = places_of(file, experiment);
  const std::string best = most_often_best(places);
  if (best.empty()) return;
  std::size_t count = 0;
  std::vector<std::string> others;
  for (const Place& place : places) {
    if (is_among(place.choice.mechanisms, best)) {
      ++count;
      continue;
    }
    for (const std::string& other : place.choice.mechanisms) {
      if (!is_among(others, other)) others.push_back(other);
    }
  }
  std::string words = fmt::format("{}, take {}: nothing is seen to take less in {} of {}{}",
                                  purpose, advised_title(best), count,
                                  counted(places.size(), "workload"), ratio_range(places, best));
  if (!others.empty()) words += fmt::format("; elsewhere {}", titles_text(others));
  if (experiment == "trace") words += trace_caveat(file);
  sentences.push_back(words + ".");
}

void add_shares_of_all(std::vector<std::string>& sentences, const ResultFile& file) {
  std::string sentence = shares_sentence(curve_groups({&file, 1}, *line_plan("share")));
  if (!sentence.empty()) sentences.push_back(std::move(sentence));
}

std::optional<double> percentile(const ResultRow& row, std::string_view name) {
  for (const auto& [key, value] : row.percentiles) {
    if (key == name) return value;
  }
  return std::nullopt;
}

// Of the first workload, where every store faults; and no more than the mechanisms one may take.
void add_latency(std::vector<std::string>& sentences, const ResultFile& file) {
  std::string workload;
  std::vector<std::string> parts;
  for (const std::string_view mechanism : {"handler", "kernel", "fork"}) {
    for (const ResultRow& row : file.rows) {
      if (row.row.experiment != "faults" || row.row.mechanism != mechanism) continue;
      const std::optional<double> high = percentile(row, "p99");
      if (!row.is_measured() || row.row.unit != "ns" || !high.has_value()) continue;
      if (workload.empty()) workload = row.row.workload;
      if (row.row.workload != workload) continue;
      const std::string faulted = fault_share_words(row);
      parts.push_back(fmt::format("{} {}, p99 {}{}", mechanism_title(row.row.mechanism),
                                  figure_words(row.median, "ns"), figure_words(*high, "ns"),
                                  faulted.empty() ? "" : " (" + faulted + ")"));
    }
  }
  if (parts.empty()) return;
  sentences.push_back(fmt::format("A single store ({}) takes at the median: {}.", workload,
                                  fmt::join(parts, "; ")));
}

}  // namespace

std::vector<std::string> general_advice(const ResultFile& file) {
  std::vector<std::string> sentences;
  add_most_often(sentences, file, "trace", "For the recorded program");
  add_most_often(sentences, file, "rounds", "For rounds of a snapshot and stores");
  add_most_often(sentences, file, "rollback", "To take stores back");
  add_shares_of_all(sentences, file);
  add_latency(sentences, file);
  return sentences;
}

}  // namespace cow::tool
