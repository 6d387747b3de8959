#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "measure/figures/result_format.hpp"
#include "measure/figures/result_json.hpp"

namespace cow::measure {

namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& sentence) { throw std::runtime_error(sentence); }

/// A value of the document with the way to it, for the sentence that says what is wrong with it.
class Value {
 public:
  Value(const Json& json, std::string path) : json_(json), path_(std::move(path)) {}

  [[nodiscard]] bool has(const char* key) const { return object().contains(key); }

  [[nodiscard]] Value at(const char* key) const {
    const std::string path = path_.empty() ? key : path_ + "." + key;
    if (!has(key)) refuse(path + " is missing");
    return {json_.at(key), path};
  }

  [[nodiscard]] std::vector<Value> items() const {
    need(json_.is_array(), "a list");
    std::vector<Value> values;
    values.reserve(json_.size());
    for (std::size_t i = 0; i < json_.size(); ++i) {
      values.emplace_back(json_[i], fmt::format("{}[{}]", path_, i));
    }
    return values;
  }

  [[nodiscard]] std::vector<std::pair<std::string, Value>> members() const {
    std::vector<std::pair<std::string, Value>> values;
    for (const auto& [key, value] : object().items()) {
      values.emplace_back(key, Value(value, path_ + "." + key));
    }
    return values;
  }

  [[nodiscard]] const Json& object() const {
    need(json_.is_object(), "an object");
    return json_;
  }

  [[nodiscard]] std::string text() const {
    need(json_.is_string(), "a text");
    return json_.get<std::string>();
  }

  [[nodiscard]] bool truth() const {
    need(json_.is_boolean(), "true or false");
    return json_.get<bool>();
  }

  [[nodiscard]] double number() const {
    need(json_.is_number(), "a number");
    const auto number = json_.get<double>();
    if (!std::isfinite(number)) refuse(path_ + " is larger than any number that was measured");
    return number;
  }

  [[nodiscard]] std::vector<double> numbers() const {
    std::vector<double> all;
    for (const Value& value : items()) all.push_back(value.number());
    return all;
  }

  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Value& value : items()) all.push_back(value.text());
    return all;
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void need(bool is_so, const char* kind) const {
    if (is_so) return;
    const std::string what = path_.empty() ? "the whole document" : path_;
    refuse(fmt::format("{} is {}, and has to be {}", what, kind_of(json_), kind));
  }

  static const char* kind_of(const Json& json) {
    if (json.is_null()) return "null";
    if (json.is_boolean()) return "true or false";
    if (json.is_number()) return "a number";
    if (json.is_string()) return "a text";
    return json.is_array() ? "a list" : "an object";
  }

  const Json& json_;
  std::string path_;
};

Status status_of(const Value& value) {
  const std::string text = value.text();
  for (const Status status : {Status::measured, Status::skipped, Status::failed}) {
    if (text == to_string(status)) return status;
  }
  refuse(
      fmt::format("{} is \"{}\", and has to be measured, skipped or failed", value.path(), text));
}

/// Times below zero were never measured.
std::vector<double> samples_of(const Value& value, const std::string& unit) {
  std::vector<double> samples = value.numbers();
  const auto below = std::ranges::find_if(samples, [](double sample) { return sample < 0; });
  if (unit == "ns" && below != samples.end()) {
    refuse(fmt::format("{}[{}] is {} ns, and no time is below zero", value.path(),
                       below - samples.begin(), *below));
  }
  return samples;
}

/// How many samples each turn gave: whole numbers that make up all of them.
std::vector<std::size_t> turn_sizes_of(const Value& value, std::size_t samples) {
  std::vector<std::size_t> sizes;
  std::size_t left = samples;
  for (const Value& item : value.items()) {
    const double size = item.number();
    if (size < 0 || size != std::floor(size)) {
      refuse(fmt::format("{} is {}, and has to be a number of samples", item.path(), size));
    }
    if (size > static_cast<double>(left)) {
      refuse(fmt::format("{} has more than the row's {} samples", value.path(), samples));
    }
    sizes.push_back(static_cast<std::size_t>(size));
    left -= sizes.back();
  }
  if (left > 0) {
    refuse(fmt::format("{} has {} fewer than the row's {} samples", value.path(), left, samples));
  }
  return sizes;
}

Row row_of(const Value& value) {
  Row row;
  row.experiment = value.at("experiment").text();
  row.workload = value.at("workload").text();
  row.mechanism = value.at("mechanism").text();
  row.parameters = value.at("parameters").object();
  row.unit = value.at("unit").text();
  row.sample = value.at("sample").text();
  row.status = status_of(value.at("status"));
  row.reason = value.at("reason").text();
  row.samples = samples_of(value.at("samples"), row.unit);
  if (row.status == Status::measured && row.samples.empty()) {
    refuse(value.at("samples").path() + " is empty, though the row was measured");
  }
  if (value.has("samples_per_turn")) {
    row.turn_sizes = turn_sizes_of(value.at("samples_per_turn"), row.samples.size());
  }
  if (value.has("parts")) {
    for (const auto& [name, part] : value.at("parts").members()) {
      row.parts.push_back({name, part.at("samples").numbers()});
    }
  }
  if (value.has("counts")) {
    for (const auto& [name, count] : value.at("counts").members()) {
      row.counts.emplace_back(name, count.number());
    }
  }
  if (value.has("counters_absent")) {
    for (const auto& [name, reason] : value.at("counters_absent").members()) {
      row.counters_absent.emplace_back(name, reason.text());
    }
  }
  if (value.has("warnings")) row.warnings = value.at("warnings").texts();
  if (value.has("against")) row.against = value.at("against").at("mechanism").text();
  if (value.has("at_most")) row.at_most = value.at("at_most").number();
  return row;
}

/// In the order in which they were measured, which `family_index` keeps.
std::vector<Row> rows_of(const Value& document) {
  std::vector<std::pair<double, Row>> placed;
  for (const char* const name : row_arrays) {
    if (!document.has(name)) continue;
    for (const Value& value : document.at(name).items()) {
      const auto place = value.has("family_index") ? value.at("family_index").number()
                                                   : static_cast<double>(placed.size());
      placed.emplace_back(place, row_of(value));
    }
  }
  std::ranges::stable_sort(placed, {}, &std::pair<double, Row>::first);
  std::vector<Row> rows;
  rows.reserve(placed.size());
  for (auto& [place, row] : placed) rows.push_back(std::move(row));
  return rows;
}

void read_own(const Value& own, Result& result) {
  const double number = own.at("format").number();
  if (number != format_number) {
    refuse(fmt::format("it is of format {}, and this version reads format {}: use the cow that "
                       "wrote it, or measure again",
                       number, format_number));
  }
  result.program = own.at("program").text();
  result.arguments = own.at("arguments").texts();
  result.is_full = own.at("full").truth();
  result.is_quick = own.at("quick").truth();
  result.is_complete = own.at("complete").truth();
  result.duration_s = own.at("duration_s").number();
  if (own.has("noise")) result.noise_ns = samples_of(own.at("noise").at("samples"), "ns");
  result.warnings = own.at("warnings").texts();
}

/// The context without what Result has a place for.
Json context_of(Json context) {
  for (const char* const key : {"format", "program", "arguments", "full", "quick", "complete",
                                "duration_s", "noise", "warnings"}) {
    context[own_key].erase(key);
  }
  return context;
}

}  // namespace

Result from_json(const Json& json) {
  const Value document(json, "");
  if (!document.has("context") || !document.has("benchmarks")) {
    refuse("it is no result of cow bench: it has no context with benchmarks");
  }
  const Value context = document.at("context");
  if (!context.has(own_key)) {
    refuse("it is a result of Google Benchmark, not of cow bench: context.cow_bench is missing. "
           "Google Benchmark's tools/compare.py compares two of those");
  }
  Result result;
  read_own(context.at(own_key), result);
  result.context = context_of(context.object());
  result.rows = rows_of(document);
  return result;
}

}  // namespace cow::measure
