#include "measure/figures/result_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "measure/figures/result_format.hpp"
#include "measure/figures/statistics.hpp"
#include "measure/figures/turns.hpp"

namespace cow::measure {

namespace {

using Json = nlohmann::ordered_json;

/// Why the samples cannot be what was measured; empty if they can.
std::string fault_of(const Row& row) {
  if (row.samples.empty()) return "it gave no sample";
  const std::size_t of_turns =
      std::accumulate(row.turn_sizes.begin(), row.turn_sizes.end(), std::size_t{0});
  if (!row.turn_sizes.empty() && of_turns != row.samples.size()) {
    return fmt::format("it has {} samples, and its turns gave {}", row.samples.size(), of_turns);
  }
  for (std::size_t i = 0; i < row.samples.size(); ++i) {
    if (!std::isfinite(row.samples[i])) return fmt::format("its sample {} is not a number", i);
    if (row.unit == "ns" && row.samples[i] < 0) {
      return fmt::format("its sample {} is a time below zero: {} ns", i, row.samples[i]);
    }
  }
  return {};
}

/// The row as it is written: what is not a number has no place in JSON.
Row settled(Row row) {
  const std::string fault = row.status == Status::measured ? fault_of(row) : std::string{};
  if (!fault.empty()) {
    row.status = Status::failed;
    row.reason = fault;
    row.turn_sizes.clear();
  }
  const auto drop = [](std::vector<double>& values) {
    std::erase_if(values, [](double value) { return !std::isfinite(value); });
  };
  drop(row.samples);
  for (NamedSamples& part : row.parts) drop(part.values);
  std::erase_if(row.counts, [](const auto& count) { return !std::isfinite(count.second); });
  if (row.at_most && !std::isfinite(*row.at_most)) row.at_most.reset();
  return row;
}

void warn(Json& warnings, const std::string& sentence) {
  if (std::ranges::find(warnings, Json(sentence)) == warnings.end()) warnings.push_back(sentence);
}

Json parts_json(const Row& row) {
  Json json = Json::object();
  for (const NamedSamples& part : row.parts) {
    json[part.name] = Json::object();
    if (!part.values.empty()) json[part.name]["median"] = median(part.values);
    json[part.name]["samples"] = part.values;
  }
  return json;
}

Json percentiles_json(const std::vector<double>& samples) {
  struct Kind {
    const char* key;
    double percent;
    std::size_t least_samples;
  };
  static constexpr std::array kinds = {Kind{"p50", 50, 2}, Kind{"p90", 90, 10},
                                       Kind{"p99", 99, 100}, Kind{"p99.9", 99.9, 1000}};
  Json json = Json::object();
  for (const Kind& kind : kinds) {
    if (samples.size() >= kind.least_samples) json[kind.key] = percentile(samples, kind.percent);
  }
  return json;
}

/// What is said of the samples of a measured row.
void describe_samples(const Row& row, Json& json) {
  json["median"] = median(row.samples);
  const Interval interval = median_interval(row);
  json["interval"] = {interval.low, interval.high};
  json["percentiles"] = percentiles_json(row.samples);
  if (row.samples.size() >= 100) {
    const Histogram bins = histogram(row.samples);
    json["histogram"] = {{"edges", bins.edges}, {"counts", bins.counts}};
  }
}

void compare_rows(const Row& row, const Row* other, Json& json, Json& warnings) {
  json["against"] = {{"mechanism", row.against}};
  if (other == nullptr) return;
  const Against against = compare(row, *other);
  if (against.has_ratio()) {
    json["against"]["ratio"] = against.ratio;
    json["against"]["interval"] = {against.interval.low, against.interval.high};
  } else {
    warn(warnings,
         fmt::format("There is no ratio to {}: a median is 0 or a sample below 0.", row.against));
  }
  json["against"]["p"] = against.p;
  json["against"]["difference"] = to_string(against.difference);
  if (!are_enough(row, *other)) {
    warn(warnings, fmt::format("too few to tell apart: {} and {} of {}", count_words(row),
                               count_words(*other), row.against));
  }
  if (row.at_most && against.has_ratio()) json["is_met"] = against.ratio <= *row.at_most;
}

std::int64_t threads_of(const Row& row) {
  const auto found = row.parameters.find("threads");
  return found != row.parameters.end() && found->is_number_integer() ? found->get<std::int64_t>()
                                                                     : 1;
}

/// The keys of Google Benchmark: one run without repetitions, whose time is the median.
Json google_json(const Row& row, std::size_t index) {
  Json json = {{"name", name_of(row)},       {"family_index", index},
               {"run_name", name_of(row)},   {"run_type", "iteration"},
               {"repetitions", 1},           {"repetition_index", 0},
               {"threads", threads_of(row)}, {"iterations", row.samples.size()}};
  if (row.status != Status::measured) {
    json["error_occurred"] = true;
    json["error_message"] = row.reason;
  } else if (row.unit == "ns") {
    json["real_time"] = median(row.samples);
    json["cpu_time"] = json["real_time"];
    json["time_unit"] = "ns";
  }
  return json;
}

Json row_json(const Row& row, const Row* other, std::size_t index) {
  Json json = google_json(row, index);
  json["experiment"] = row.experiment;
  json["workload"] = row.workload;
  json["mechanism"] = row.mechanism;
  json["parameters"] = row.parameters;
  json["unit"] = row.unit;
  json["sample"] = row.sample;
  json["status"] = to_string(row.status);
  json["reason"] = row.reason;
  json["samples"] = row.samples;
  const auto is_several = [](std::size_t size) { return size != 1; };
  if (std::ranges::any_of(row.turn_sizes, is_several)) json["samples_per_turn"] = row.turn_sizes;
  Json warnings = row.warnings;
  if (row.status == Status::measured) describe_samples(row, json);
  if (!row.against.empty()) compare_rows(row, other, json, warnings);
  if (row.at_most) json["at_most"] = *row.at_most;
  if (!row.parts.empty()) json["parts"] = parts_json(row);
  if (!row.counts.empty()) {
    json["counts"] = Json::object();
    for (const auto& [name, number] : row.counts) json["counts"][name] = number;
  }
  for (const auto& [name, reason] : row.counters_absent) json["counters_absent"][name] = reason;
  json["warnings"] = std::move(warnings);
  return json;
}

Json own_context(const Result& result) {
  Json json = {{"format", format_number},
               {"program", result.program},
               {"arguments", result.arguments},
               {"full", result.is_full},
               {"quick", result.is_quick},
               {"complete", result.is_complete},
               {"duration_s", std::isfinite(result.duration_s) ? result.duration_s : 0.0}};
  if (const auto own = result.context.find(own_key);
      own != result.context.end() && own->is_object()) {
    for (const auto& [key, value] : own->items()) {
      if (!json.contains(key)) json[key] = value;
    }
  }
  std::vector<double> noise = result.noise_ns;
  std::erase_if(noise, [](double value) { return !std::isfinite(value); });
  if (!noise.empty()) {
    json["noise"] = {{"samples", noise}, {"median", median(noise)}, {"spread", spread(noise)}};
  }
  json["warnings"] = result.warnings;
  return json;
}

Json context_json(const Result& result) {
  Json json = Json::object();
  for (const auto& [key, value] : result.context.items()) {
    if (key != own_key) json[key] = value;
  }
  if (!result.program.empty()) json["executable"] = result.program;
  // bencher.dev's adapter asks for the key.
  if (!json.contains("caches")) json["caches"] = Json::array();
  json[own_key] = own_context(result);
  return json;
}

}  // namespace

std::string name_of(const Row& row) {
  return row.experiment + '/' + row.workload + '/' + row.mechanism;
}

std::string to_string(Status status) {
  switch (status) {
    case Status::measured: return "measured";
    case Status::skipped: return "skipped";
    case Status::failed: return "failed";
  }
  return {};
}

const Row* counterpart(const Result& result, const Row& row) {
  if (row.against.empty() || row.status != Status::measured) return nullptr;
  const auto found = std::ranges::find_if(result.rows, [&](const Row& other) {
    return other.mechanism == row.against && other.experiment == row.experiment &&
           other.workload == row.workload && other.unit == row.unit &&
           other.status == Status::measured;
  });
  return found == result.rows.end() ? nullptr : &*found;
}

Json to_json(const Result& result) {
  Result written = result;
  for (Row& row : written.rows) row = settled(std::move(row));
  Json json = {{"context", context_json(written)},
               {"benchmarks", Json::array()},
               {"quantities", Json::array()},
               {"unmeasured", Json::array()}};
  for (std::size_t index = 0; index < written.rows.size(); ++index) {
    const Row& row = written.rows[index];
    const char* const where = row.status != Status::measured ? "unmeasured"
                              : row.unit == "ns"             ? "benchmarks"
                                                             : "quantities";
    json[where].push_back(row_json(row, counterpart(written, row), index));
  }
  return json;
}

}  // namespace cow::measure
