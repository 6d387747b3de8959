#include "tool/report/result_file.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include <fmt/format.h>

#include "measure/figures/result_format.hpp"
#include "measure/figures/result_json.hpp"
#include "measure/figures/turns.hpp"
#include "measure/shortened.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

using Json = nlohmann::ordered_json;

measure::Interval interval_in(const Json& json) {
  return {json.at(0).get<double>(), json.at(1).get<double>()};
}

std::optional<RowAgainst> against_in(const Json& json) {
  const auto found = json.find("against");
  // Without a ratio (a median of 0) there is nothing to show.
  if (found == json.end() || !found->contains("ratio")) return std::nullopt;
  const auto word = found->at("difference").get<std::string>();
  const auto difference = word == "less"   ? measure::Difference::less
                          : word == "more" ? measure::Difference::more
                                           : measure::Difference::none;
  return RowAgainst{found->at("mechanism").get<std::string>(),
                    found->at("ratio").get<double>(),
                    interval_in(found->at("interval")),
                    found->at("p").get<double>(),
                    difference,
                    true};
}

std::optional<measure::Histogram> histogram_in(const Json& json) {
  const auto found = json.find("histogram");
  if (found == json.end()) return std::nullopt;
  measure::Histogram histogram{found->at("edges").get<std::vector<double>>(),
                               found->at("counts").get<std::vector<std::size_t>>()};
  if (histogram.counts.empty() || histogram.edges.size() != histogram.counts.size() + 1) {
    throw std::runtime_error("its histogram has not one edge more than counts");
  }
  return histogram;
}

// What is derived. The rest was read, and checked, by measure::from_json.
ResultRow read_derived(measure::Row row, const Json& json) {
  ResultRow read;
  read.name = measure::name_of(row);
  if (json.at("name") != read.name) {
    throw std::runtime_error(fmt::format("its name in the file is {}", json.at("name").dump()));
  }
  if (row.status == measure::Status::measured) {
    read.median = json.at("median").get<double>();
    read.interval = interval_in(json.at("interval"));
    if (json.contains("percentiles")) {
      for (const auto& [name, value] : json.at("percentiles").items()) {
        read.percentiles.emplace_back(name, value.get<double>());
      }
    }
    read.histogram = histogram_in(json);
    read.against = against_in(json);
    if (json.contains("parts")) {
      for (const auto& [name, part] : json.at("parts").items()) {
        if (part.contains("median")) read.parts.emplace_back(name, part.at("median"));
      }
    }
  }
  read.row = std::move(row);
  return read;
}

// "No difference" of too few samples says nothing.
void note_too_few(std::vector<ResultRow>& rows) {
  for (ResultRow& ours : rows) {
    if (!ours.against.has_value()) continue;
    for (const ResultRow& theirs : rows) {
      if (theirs.row.experiment != ours.row.experiment || !theirs.is_measured() ||
          theirs.row.workload != ours.row.workload || theirs.row.unit != ours.row.unit ||
          theirs.row.mechanism != ours.against->mechanism) {
        continue;
      }
      ours.against->are_enough = measure::are_enough(ours.row, theirs.row);
    }
  }
}

// As measure::from_json has them.
std::vector<const Json*> rows_in_order(const Json& json) {
  std::vector<std::pair<double, const Json*>> placed;
  for (const char* const list : measure::row_arrays) {
    if (!json.contains(list)) continue;
    for (const Json& row : json.at(list)) {
      const auto index = row.find("family_index");
      placed.emplace_back(
          index != row.end() ? index->get<double>() : static_cast<double>(placed.size()), &row);
    }
  }
  std::stable_sort(placed.begin(), placed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const Json*> rows(placed.size());
  std::transform(placed.begin(), placed.end(), rows.begin(),
                 [](const auto& one) { return one.second; });
  return rows;
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw ToolError(fmt::format("'{}' cannot be read as a result of cow bench: {}",
                              measure::shortened(path), measure::shortened(why)));
}

}  // namespace

bool is_result(const Json& json) {
  const auto context = json.find("context");
  return context != json.end() && context->is_object() && context->contains("cow_bench");
}

ResultFile result_file(const std::string& path, Json json) {
  ResultFile file{.path = path, .label = path, .document = {}, .result = {}, .rows = {}};
  try {
    file.result = measure::from_json(json);
  } catch (const std::runtime_error& error) {
    refuse(path, error.what());
  }
  const std::vector<const Json*> rows = rows_in_order(json);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    try {
      file.rows.push_back(read_derived(file.result.rows.at(i), *rows[i]));
    } catch (const std::exception& error) {
      refuse(path, fmt::format("{}: {}; measure again", measure::name_of(file.result.rows.at(i)),
                               error.what()));
    }
  }
  note_too_few(file.rows);
  file.document = std::move(json);
  const bool is_empty = std::none_of(file.rows.begin(), file.rows.end(),
                                     [](const ResultRow& row) { return row.is_measured(); });
  if (!is_empty) return file;
  const std::string first = file.rows.empty() ? "it has no row" : file.rows.front().row.reason;
  throw ToolError(fmt::format("'{}' has no row that was measured ({}); run cow bench anew",
                              measure::shortened(path), measure::shortened(first)));
}

Json ResultFile::environment() const {
  const Json& own = document.at("context").at("cow_bench");
  const auto found = own.find("environment");
  return found != own.end() && found->is_object() ? *found : Json::object();
}

void set_labels(std::vector<ResultFile>& files) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string name = std::filesystem::path(files[i].path).filename().string();
    files[i].label =
        files.size() < 2 ? name : fmt::format("{}: {}", static_cast<char>('A' + i), name);
  }
}

}  // namespace cow::tool
