#include "tool/report/advice.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "tool/report/choice.hpp"
#include "tool/report/curves.hpp"
#include "tool/report/share_words.hpp"
#include "tool/report/trace_caveat.hpp"

namespace cow::tool {
namespace {

/// Workloads beside one another on an axis that have the same choice.
struct Stretch {
  double first;
  double last;
  Choice choice;
  double least_ratio;
  double most_ratio;
};

bool is_same(const Choice& a, const Choice& b) {
  return a.mechanisms == b.mechanisms && a.base == b.base && a.tracker == b.tracker &&
         a.is_too_few == b.is_too_few;
}

std::vector<Stretch> stretches_of(const CurveGroup& group) {
  std::set<double> places;
  for (const Curve& curve : group.curves) {
    for (const CurvePoint& point : curve.points) places.insert(point.x);
  }
  std::vector<Stretch> stretches;
  bool is_whole = true;  // nothing was left out since the last one
  for (const double x : places) {
    ChoiceRows rows;
    for (const Curve& curve : group.curves) {
      for (const CurvePoint& point : curve.points) {
        if (point.x == x) rows.push_back(point.row);
      }
    }
    const std::optional<Choice> choice = choice_of(group.plan->experiment, rows);
    if (!choice.has_value()) {
      is_whole = false;
      continue;
    }
    const double ratio = choice->ratio;
    if (is_whole && !stretches.empty() && is_same(stretches.back().choice, *choice)) {
      Stretch& stretch = stretches.back();
      stretch.last = x;
      stretch.least_ratio = std::min(stretch.least_ratio, ratio);
      stretch.most_ratio = std::max(stretch.most_ratio, ratio);
    } else {
      stretches.push_back({x, x, *choice, ratio, ratio});
    }
    is_whole = true;
  }
  return stretches;
}

std::string range_words(const LinePlan& plan, const Stretch& stretch) {
  std::string words = place_words(plan, stretch.first);
  if (stretch.first != stretch.last) words += " to " + place_words(plan, stretch.last);
  if (plan.noun.empty()) return words;
  return fmt::format("{} {}", words, stretch.last == 1 ? plan.noun : plan.nouns);
}

void add_stretches(std::vector<std::string>& sentences, const CurveGroup& group) {
  for (const Stretch& stretch : stretches_of(group)) {
    const std::string purpose =
        fmt::format(fmt::runtime(group.plan->purpose), range_words(*group.plan, stretch));
    const std::string split = group.split.empty() ? "" : fmt::format(" ({})", group.split);
    sentences.push_back(
        fmt::format("{}{}, {}.", purpose, split,
                    choice_words(stretch.choice, stretch.least_ratio, stretch.most_ratio)));
  }
}

// One mechanism against another at every place of the axis.
std::string words_of_all_places(const CurveGroup& group, const Curve& lazy, const Curve& eager) {
  SharesSeen seen;
  seen.add(lazy, eager);
  return everywhere_words(*group.plan, seen);
}

// Where a lazy clone is worth it, which is the question of this experiment.
void add_shares(std::vector<std::string>& sentences, const CurveGroup& group) {
  const Curve* eager = curve_of(group, "eager");
  if (eager == nullptr) return;
  const std::string where = group.split.empty() ? "" : fmt::format(" ({})", group.split);
  for (const std::string_view mechanism : {"handler", "kernel", "fork"}) {
    const Curve* lazy = curve_of(group, mechanism);
    if (lazy == nullptr) continue;
    const std::vector<Crossover> found = crossovers(*lazy, *eager);
    if (found.size() == 1) {
      sentences.push_back(fmt::format(
          "{} a share of the pages written between {}{}, {} is cheaper than {}; {} it "
          "is dearer.",
          found.front().first_is_less_before ? "Below" : "Above",
          crossover_words(*group.plan, found.front()), where, lazy->title, advised_title("eager"),
          found.front().first_is_less_before ? "above" : "below"));
    } else if (found.size() > 1) {
      sentences.push_back(fmt::format("Whether {} is cheaper than {} changes {} times over the "
                                      "share written{}: see the picture.",
                                      lazy->title, eager->title, found.size(), where));
    } else if (const std::string words = words_of_all_places(group, *lazy, *eager);
               !words.empty()) {
      sentences.push_back(fmt::format("{} {}{}.", lazy->title, words, where));
    }
  }
}

// Experiments without an axis: each workload by itself.
void add_workloads(std::vector<std::string>& sentences, const ResultFile& file,
                   std::string_view experiment, std::string_view purpose) {
  std::vector<std::string> workloads;
  for (const ResultRow& row : file.rows) {
    if (row.row.experiment != experiment || !row.is_measured() || row.row.unit != "ns") continue;
    if (std::find(workloads.begin(), workloads.end(), row.row.workload) == workloads.end()) {
      workloads.push_back(row.row.workload);
    }
  }
  for (const std::string& workload : workloads) {
    ChoiceRows rows;
    for (const ResultRow& row : file.rows) {
      const bool is_of_it = row.row.experiment == experiment && row.row.workload == workload;
      if (is_of_it && row.is_measured() && row.row.unit == "ns") rows.push_back(&row);
    }
    const std::optional<Choice> choice = choice_of(experiment, rows);
    if (!choice.has_value()) continue;
    sentences.push_back(fmt::format("{} ({}), {}{}.", purpose, workload,
                                    choice_words(*choice, choice->ratio, choice->ratio),
                                    experiment == "trace" ? trace_caveat(file) : ""));
  }
}

}  // namespace

std::vector<std::string> detailed_advice(const ResultFile& file) {
  std::vector<std::string> sentences;
  add_workloads(sentences, file, "trace", "For the recorded program");
  for (const std::string_view experiment : {"rounds", "rollback", "share", "clone", "threads"}) {
    const LinePlan& plan = *line_plan(experiment);
    for (const CurveGroup& group : curve_groups({&file, 1}, plan)) {
      if (group.unit != "ns") continue;
      if (experiment == "share") {
        add_shares(sentences, group);
      } else {
        add_stretches(sentences, group);
      }
    }
  }
  add_workloads(sentences, file, "granules", "Of pages of several sizes");
  add_workloads(sentences, file, "file", "For a file");
  return sentences;
}

Advice advice_of(const ResultFile& file) { return {general_advice(file), detailed_advice(file)}; }

}  // namespace cow::tool
