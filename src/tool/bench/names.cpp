#include "tool/bench/names.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "measure/experiments.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "tool/quantity.hpp"
#include "tool/report/mechanism_names.hpp"
#include "tool/suggestion.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

using measure::Plan;

bool is_side_of(const Plan& plan, const std::string& mechanism) {
  return std::ranges::any_of(plan.comparisons, [&](const measure::Comparison& comparison) {
    return std::ranges::find(comparison.sides, mechanism, &measure::Side::mechanism) !=
           comparison.sides.end();
  });
}

std::string words_of_mechanism(const std::string& name, const std::vector<Plan>& plans) {
  for (const measure::Mechanism& mechanism : measure::mechanisms()) {
    if (mechanism.name != name) continue;
    const std::string why_not = mechanism.why_not();
    const std::string title(mechanism.title);
    return why_not.empty() ? title : title + "; not here: " + printable(why_not);
  }
  std::vector<std::string_view> experiments;
  for (const Plan& plan : plans) {
    if (is_side_of(plan, name)) experiments.push_back(plan.experiment->name);
  }
  return fmt::format("{}; in {}", mechanism_title(name), fmt::join(experiments, ", "));
}

[[noreturn]] void refuse_name(const char* kind, const std::string& word,
                              const std::vector<std::string>& names) {
  std::string sentence = fmt::format("there is no {} '{}'", kind, printable(word));
  const auto meant = nearest(word, names);
  sentence += meant.has_value() ? fmt::format("; did you mean {}?", *meant)
                                : fmt::format("; there is: {}", fmt::join(names, ", "));
  throw ToolError(sentence + " (see cow bench --list)", exit_usage);
}

}  // namespace

std::vector<std::string> names_of_mechanisms(const std::vector<Plan>& plans) {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    const bool is_there = std::ranges::find(names, name) != names.end();
    if (!is_there && name.find(',') == std::string_view::npos) names.emplace_back(name);
  };
  for (const measure::Mechanism& mechanism : measure::mechanisms()) add(mechanism.name);
  for (const Plan& plan : plans) {
    for (const measure::Comparison& comparison : plan.comparisons) {
      for (const measure::Side& side : comparison.sides) add(side.mechanism);
    }
  }
  return names;
}

void check_names(const char* kind, const std::vector<std::string>& words,
                 const std::vector<std::string>& names) {
  for (const std::string& word : words) {
    if (std::ranges::find(names, word) == names.end()) refuse_name(kind, word, names);
  }
}

int list_names(Screen& screen, const std::vector<Plan>& plans) {
  const std::vector<std::string> mechanisms = names_of_mechanisms(plans);
  std::size_t longest = 0;
  for (const auto& one : measure::experiments()) longest = std::max(longest, one.name.size());
  for (const std::string& name : mechanisms) longest = std::max(longest, name.size());
  // A blank behind the longest.
  const auto padded = [&](std::string_view name) {
    return fmt::format("{:<{}}", name, longest + 1);
  };
  screen.line("Experiments, for --only:");
  for (const measure::Experiment& experiment : measure::experiments()) {
    screen.fact(padded(experiment.name), experiment.question);
  }
  screen.blank();
  screen.line("Mechanisms, for --mechanisms:");
  for (const std::string& name : mechanisms) {
    screen.fact(padded(name), words_of_mechanism(name, plans));
  }
  screen.flush();
  return exit_success;
}

}  // namespace cow::tool
