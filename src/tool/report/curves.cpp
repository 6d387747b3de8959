#include "tool/report/curves.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "measure/figures/turns.hpp"
#include "tool/quantity.hpp"
#include "tool/report/mechanism_names.hpp"

namespace cow::tool {
namespace {

using Json = nlohmann::ordered_json;

constexpr double mib = 1.0 / (1 << 20);
constexpr double kib = 1.0 / (1 << 10);

const std::vector<LinePlan>& plans() {
  static const std::vector<LinePlan> all = {
      {"clone",
       {"bytes"},
       mib,
       "A clone or snapshot, by size",
       "How long it takes to have the bytes of one moment, for memory of each size",
       "size",
       "MiB",
       "For a clone or snapshot of {} and no store"},
      {"share",
       {"share"},
       100,
       "A clone, and stores to a part of its pages",
       "How long a clone and the stores to it take, by the share of its pages that is stored to",
       "share of the pages written",
       "%",
       "To clone and write {} of the pages"},
      {"rounds",
       {"stores"},
       1,
       "Rounds of a snapshot and stores",
       "How long a round takes: a snapshot, stores to so many pages, the snapshot's end",
       "pages stored to in a round",
       "",
       "For snapshots with stores to {} between them",
       "page",
       "pages"},
      {"rollback",
       {"stores"},
       1,
       "Rounds of stores that are taken back",
       "How long a round takes: stores to so many pages, and all as it was before",
       "pages stored to in a round",
       "",
       "To take back stores to {}",
       "page",
       "pages"},
      {"threads",
       {"threads", "processes"},
       1,
       "Threads and processes that store",
       "How long stores take while so many threads, or processes, make them at once",
       "threads or processes",
       "",
       "For first stores from {}",
       "thread or process",
       "threads or processes"},
      {"granules",
       {"granule_bytes"},
       kib,
       "Granules",
       "How long the same work takes with pages of each size",
       "granule",
       "KiB",
       "With granules of {}"},
  };
  return all;
}

// Text before numbers: what a number follows from has been seen when it is its turn.
std::vector<std::string> keys_of(const std::vector<const ResultRow*>& rows, const LinePlan& plan) {
  std::set<std::string> taken(plan.x_keys.begin(), plan.x_keys.end());
  std::vector<std::string> texts;
  std::vector<std::string> numbers;
  for (const ResultRow* row : rows) {
    for (const auto& [key, value] : row->row.parameters.items()) {
      if (!taken.insert(key).second) continue;
      (value.is_number() ? numbers : texts).push_back(key);
    }
  }
  texts.insert(texts.end(), numbers.begin(), numbers.end());
  return texts;
}

std::string value_text(const ResultRow& row, const std::string& key) {
  const auto found = row.row.parameters.find(key);
  return found == row.row.parameters.end() ? "" : found->dump();
}

std::string values_text(const ResultRow& row, const std::vector<std::string>& keys) {
  std::string text = row.row.unit;
  for (const std::string& key : keys) text += '\0' + value_text(row, key);
  return text;
}

// Parameters that tell pictures apart: those that neither are the same everywhere nor follow from
// the place on the axis and from those already found.
std::vector<std::string> split_keys(const std::vector<const ResultRow*>& rows,
                                    const LinePlan& plan) {
  std::vector<std::string> split;
  for (const std::string& key : keys_of(rows, plan)) {
    std::set<std::string> values;
    std::map<std::string, std::string> value_at;
    bool follows = true;
    for (const ResultRow* row : rows) {
      const std::string value = value_text(*row, key);
      values.insert(value);
      const std::string at =
          fmt::format("{}", *place_of(plan, *row)) + '\0' + values_text(*row, split);
      const auto [entry, is_new] = value_at.emplace(at, value);
      follows = follows && (is_new || entry->second == value);
    }
    if (values.size() > 1 && !follows) split.push_back(key);
  }
  return split;
}

std::string split_words(const LinePlan& plan, const std::vector<const ResultRow*>& rows,
                        const ResultRow& row, const std::vector<std::string>& split) {
  std::vector<std::string> words;
  for (const std::string& key : split) {
    const auto found = row.row.parameters.find(key);
    if (found == row.row.parameters.end()) continue;
    const std::string text = parameter_words(key, *found);
    if (!text.empty()) words.push_back(text);
  }
  // Some are worth saying where they are the same everywhere, too.
  for (const char* key : {"pattern", "bytes"}) {
    const std::string value = value_text(row, key);
    const bool is_constant = std::all_of(rows.begin(), rows.end(), [&](const ResultRow* other) {
      return value_text(*other, key) == value;
    });
    const bool is_split = std::find(split.begin(), split.end(), key) != split.end();
    const bool is_x = std::find(plan.x_keys.begin(), plan.x_keys.end(), key) != plan.x_keys.end();
    if (value.empty() || !is_constant || is_split || is_x) continue;
    words.push_back(parameter_words(key, row.row.parameters.at(key)));
  }
  if (row.row.unit != "ns") words.push_back("in " + row.row.unit);
  return fmt::format("{}", fmt::join(words, ", "));
}

Curve& curve_for(std::vector<Curve>& curves, const ResultRow& row, std::size_t result) {
  // "handler, 64 KiB" is a point of the handler's curve.
  const std::string mechanism = row.row.mechanism.substr(0, row.row.mechanism.find(", "));
  for (Curve& curve : curves) {
    if (curve.mechanism == mechanism && curve.result == result) return curve;
  }
  curves.push_back({mechanism, mechanism_title(mechanism), result, {}});
  return curves.back();
}

void sort_curves(std::vector<Curve>& curves) {
  std::stable_sort(curves.begin(), curves.end(), [](const Curve& a, const Curve& b) {
    const std::size_t first = mechanism_order(a.mechanism);
    const std::size_t second = mechanism_order(b.mechanism);
    return first != second ? first < second : a.result < b.result;
  });
  for (Curve& curve : curves) {
    std::stable_sort(curve.points.begin(), curve.points.end(),
                     [](const CurvePoint& a, const CurvePoint& b) { return a.x < b.x; });
  }
}

}  // namespace

const Curve* curve_of(const CurveGroup& group, std::string_view mechanism) {
  for (const Curve& curve : group.curves) {
    if (curve.mechanism == mechanism) return &curve;
  }
  return nullptr;
}

const LinePlan* line_plan(std::string_view experiment) {
  for (const LinePlan& plan : plans()) {
    if (plan.experiment == experiment) return &plan;
  }
  return nullptr;
}

std::optional<double> place_of(const LinePlan& plan, const ResultRow& row) {
  std::optional<double> place;
  for (const std::string_view key : plan.x_keys) {
    const auto found = row.row.parameters.find(key);
    if (found == row.row.parameters.end() || !found->is_number()) continue;
    place = std::max(place.value_or(0), found->get<double>() * plan.factor);
  }
  return place;
}

std::vector<CurveGroup> curve_groups(std::span<const ResultFile> files, const LinePlan& plan) {
  std::vector<const ResultRow*> rows;
  std::vector<std::size_t> results;
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (const ResultRow& row : files[i].rows) {
      if (row.row.experiment != plan.experiment || !row.is_measured()) continue;
      if (!place_of(plan, row).has_value()) continue;
      rows.push_back(&row);
      results.push_back(i);
    }
  }
  const std::vector<std::string> split = split_keys(rows, plan);
  std::vector<std::string> texts;
  std::vector<CurveGroup> groups;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string text = values_text(*rows[i], split);
    const auto found = std::find(texts.begin(), texts.end(), text);
    const auto at = static_cast<std::size_t>(found - texts.begin());
    if (found == texts.end()) {
      texts.push_back(text);
      groups.push_back({&plan, split_words(plan, rows, *rows[i], split), rows[i]->row.unit, {}});
    }
    curve_for(groups[at].curves, *rows[i], results[i])
        .points.push_back({*place_of(plan, *rows[i]), rows[i]});
  }
  for (CurveGroup& group : groups) sort_curves(group.curves);
  return groups;
}

std::string parameter_words(std::string_view key, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (key == "first_time" && value.is_boolean()) {
    return value.get<bool>() ? "the first time" : "again and again";
  }
  if (key == "same_pages" && value.is_boolean()) {
    return value.get<bool>() ? "the same pages in every round" : "other pages in every round";
  }
  if (value.is_boolean()) return fmt::format("{}{}", value.get<bool>() ? "" : "not ", key);
  if (!value.is_number()) return fmt::format("{} {}", key, value.dump());
  const double number = value.get<double>();
  const bool is_whole = number >= 0 && number < 1e15 && number == std::floor(number);
  const std::uint64_t whole = is_whole ? static_cast<std::uint64_t>(number) : 0;
  if (key == "share") return fmt::format("{:.3g} %", number * 100);
  if (!is_whole) return fmt::format("{} {:.3g}", key, number);
  if (key == "bytes") return bytes_text(whole);
  if (key == "granule_bytes") return "granules of " + bytes_text(whole);
  if (key == "pages" || key == "stores" || key == "threads") {
    return counted(whole, key.substr(0, key.size() - 1));
  }
  if (key == "processes") return with_commas(whole) + (whole == 1 ? " process" : " processes");
  if (key == "others") return "with " + counted(whole, "other thread");
  return fmt::format("{} {}", key, with_commas(whole));
}

std::string place_words(const LinePlan& plan, double x) {
  if (plan.unit == "MiB") return bytes_text(static_cast<std::uint64_t>(std::llround(x / mib)));
  if (plan.unit == "KiB") return bytes_text(static_cast<std::uint64_t>(std::llround(x / kib)));
  if (plan.unit == "%") return fmt::format("{:.{}g} %", x, x >= 10 ? 3 : 2);
  return with_commas(static_cast<std::uint64_t>(std::llround(x)));
}

std::string crossover_words(const LinePlan& plan, const Crossover& crossover) {
  return fmt::format("{} and {}, about {}", place_words(plan, crossover.low),
                     place_words(plan, crossover.high), place_words(plan, crossover.x));
}

measure::Difference difference_of(const ResultRow& ours, const ResultRow& theirs) {
  return measure::compare(ours.row, theirs.row).difference;
}

namespace {

struct Pair {
  double x;
  double log_ratio;
  measure::Difference difference;
};

std::vector<Pair> pairs_of(const Curve& first, const Curve& second) {
  std::vector<Pair> pairs;
  for (const CurvePoint& ours : first.points) {
    for (const CurvePoint& theirs : second.points) {
      if (ours.x != theirs.x || ours.row->median <= 0 || theirs.row->median <= 0) continue;
      pairs.push_back({ours.x, std::log(ours.row->median / theirs.row->median),
                       difference_of(*ours.row, *theirs.row)});
    }
  }
  return pairs;
}

// Where the straight line between two points, both axes logarithmic, is 0. A place 0 has no
// logarithm.
double between(const Pair& a, const Pair& b) {
  const double share = a.log_ratio / (a.log_ratio - b.log_ratio);
  if (a.x <= 0) return a.x + share * (b.x - a.x);
  return std::exp(std::log(a.x) + share * (std::log(b.x) - std::log(a.x)));
}

// From `begin` to `end` the difference turns round, and between them none is seen.
double crossing(const std::vector<Pair>& pairs, std::size_t begin, std::size_t end) {
  std::optional<double> found;
  for (std::size_t i = begin; i < end; ++i) {
    if ((pairs[i].log_ratio < 0) == (pairs[i + 1].log_ratio < 0)) continue;
    if (found.has_value()) return between(pairs[begin], pairs[end]);  // to and fro: noise
    found = between(pairs[i], pairs[i + 1]);
  }
  return found.value_or(between(pairs[begin], pairs[end]));
}

}  // namespace

std::vector<Crossover> crossovers(const Curve& first, const Curve& second) {
  const std::vector<Pair> pairs = pairs_of(first, second);
  std::vector<Crossover> found;
  std::optional<std::size_t> last;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].difference == measure::Difference::none) continue;
    if (last.has_value() && pairs[*last].difference != pairs[i].difference) {
      const bool was_less = pairs[*last].difference == measure::Difference::less;
      found.push_back({crossing(pairs, *last, i), pairs[*last].x, pairs[i].x, was_less});
    }
    last = i;
  }
  return found;
}

}  // namespace cow::tool
