#include "tool/bench/bench_command.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "measure/engine/run.hpp"
#include "measure/experiments.hpp"
#include "measure/figures/check.hpp"
#include "measure/figures/result_json.hpp"
#include "measure/host/commit.hpp"
#include "measure/host/environment.hpp"
#include "measure/host/process_start.hpp"
#include "measure/host/stop_signals.hpp"
#include "measure/shortened.hpp"
#include "tool/bench/names.hpp"
#include "tool/bench/progress_line.hpp"
#include "tool/bench/result_text.hpp"
#include "tool/json_file.hpp"
#include "tool/quantity.hpp"
#include "tool/screen.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

using measure::Experiment;
using measure::Plan;
using measure::Result;

// Below a minute with the ends, which take a second or two, and what is not measured in time.
constexpr double usual_budget_s = 52;
constexpr double full_budget_s = 600;
constexpr double usual_turn_s = 30;
constexpr double full_turn_s = 120;
// More than the results take: they have every sample.
constexpr std::size_t quick_room_bytes = std::size_t{1} << 20;
constexpr std::size_t usual_room_bytes = std::size_t{16} << 20;
constexpr std::size_t full_room_bytes = std::size_t{64} << 20;

bool is_quick() {
  const char* value = std::getenv("COW_BENCH_QUICK");
  return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

Screen screen_of(std::FILE* file) {
  Terminal terminal = Terminal::of(file);
  terminal.columns = std::min<std::size_t>(terminal.columns, 80);
  terminal.can_wait = false;
  return {file, wants_color(ColorChoice::automatic, file), terminal};
}

bool is_output(const BenchOptions& options) { return options.json == "-"; }

std::vector<Experiment> chosen(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const Experiment& experiment : measure::experiments()) names.emplace_back(experiment.name);
  check_names("experiment", words, names);
  std::vector<Experiment> chosen;
  for (const Experiment& experiment : measure::experiments()) {
    const bool is_named = std::find(words.begin(), words.end(), experiment.name) != words.end();
    if (words.empty() || is_named) chosen.push_back(experiment);
  }
  return chosen;
}

/// Also of experiments that were not chosen: what --list has is no unknown name.
void check_mechanisms(const BenchOptions& options) {
  if (options.mechanisms.empty()) return;
  const std::vector<Plan> all = measure::plan(measure::experiments(), measure::Scale());
  check_names("mechanism", options.mechanisms, names_of_mechanisms(all));
}

void choose_mechanisms(std::vector<Plan>& plans, const std::vector<std::string>& words) {
  if (words.empty()) return;
  measure::keep_mechanisms(plans, words);
  if (plans.empty()) {
    throw ToolError(fmt::format("no experiment that was chosen has {}; see cow bench --list",
                                fmt::join(words, ", ")),
                    exit_usage);
  }
}

/// What --check compares with: read before anything is measured.
std::optional<Result> baseline_of(const BenchOptions& options) {
  if (!options.baseline.has_value()) return std::nullopt;
  Result baseline;
  try {
    baseline = measure::load(*options.baseline);
  } catch (const std::exception& error) {
    throw ToolError(printable(error.what()), exit_usage);
  }
  if (baseline.is_full != options.is_full) {
    throw ToolError(
        fmt::format("'{}' was measured {} --full, and is compared with a run that is, "
                    "too: {}",
                    measure::shortened(*options.baseline), baseline.is_full ? "with" : "without",
                    baseline.is_full ? "add it" : "leave it out"),
        exit_usage);
  }
  if (baseline.is_quick != is_quick()) {
    throw ToolError(
        fmt::format("'{}' was measured {} COW_BENCH_QUICK=1, and can be compared only "
                    "with a run that is, too",
                    measure::shortened(*options.baseline), baseline.is_quick ? "with" : "without"),
        exit_usage);
  }
  return baseline;
}

/// Nobody writes over what a run is compared with, by mistake or when it is stopped half-way.
void check_files(const BenchOptions& options) {
  if (!options.baseline.has_value() || !options.json.has_value()) return;
  const std::string why_not = measure::why_not_written(*options.baseline, *options.json);
  if (!why_not.empty()) throw ToolError(why_not, exit_usage);
}

/// What was chosen of it is measured again; the rest is not missing. Of `words`, which are those of
/// --only or the baseline's own, and of --mechanisms.
void keep_chosen(Result& baseline, const std::vector<std::string>& words,
                 const BenchOptions& options) {
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::erase_if(baseline.rows, [&](const measure::Row& row) {
    return !has(words, row.experiment) ||
           (!options.mechanisms.empty() && !has(options.mechanisms, row.mechanism));
  });
  if (baseline.rows.empty()) {
    throw ToolError(fmt::format("'{}' has nothing of what was chosen; nothing can be compared",
                                printable(*options.baseline)),
                    exit_usage);
  }
}

/// Those of --only, or those that the baseline has, or all.
std::vector<std::string> names_of_experiments(const BenchOptions& options,
                                              const std::optional<Result>& baseline) {
  if (!options.experiments.empty() || !baseline.has_value()) return options.experiments;
  std::vector<std::string> names;
  for (const measure::Row& row : baseline->rows) {
    if (std::find(names.begin(), names.end(), row.experiment) == names.end()) {
      names.push_back(row.experiment);
    }
  }
  if (names.empty()) {
    throw ToolError(fmt::format("'{}' has no results in it; nothing can be compared with it",
                                printable(*options.baseline)),
                    exit_usage);
  }
  return names;
}

/// Those of --mechanisms, or those that the baseline has of these experiments, or all.
std::vector<std::string> names_of_sides(const BenchOptions& options,
                                        const std::optional<Result>& baseline) {
  if (!options.mechanisms.empty() || !baseline.has_value()) return options.mechanisms;
  std::vector<std::string> names;
  for (const measure::Row& row : baseline->rows) {
    if (std::ranges::find(names, row.mechanism) == names.end()) names.push_back(row.mechanism);
  }
  return names;
}

/// --trace and its experiment: each needs the other.
void check_trace(const BenchOptions& options, const std::vector<std::string>& words) {
  const bool is_named = std::find(words.begin(), words.end(), "trace") != words.end();
  if (options.trace.has_value() && !words.empty() && !is_named) {
    throw ToolError("--trace is for the experiment 'trace', which was not chosen; add it to --only",
                    exit_usage);
  }
  if (is_named && !options.trace.has_value()) {
    throw ToolError("the experiment 'trace' needs --trace FILE, which cow trace records",
                    exit_usage);
  }
}

/// What was measured, where and with what.
void add_context(Result& result, nlohmann::ordered_json environment, const BenchOptions& options) {
  nlohmann::ordered_json context = measure::google_context();
  nlohmann::ordered_json& own = context["cow_bench"];
  own["libcow"] = measure::libcow_commit();
  own["environment"] = std::move(environment);
  for (const auto& [key, value] : result.context["cow_bench"].items()) own[key] = value;
  result.context = std::move(context);
  result.program = "cow bench";
  result.arguments = options.arguments;
}

Result measure_all(const std::vector<Plan>& plans, const measure::Scale& scale,
                   measure::SideNursery& nursery, const BenchOptions& options) {
  ProgressLine line(stderr, !options.is_quiet);
  measure::RunOptions run;
  run.budget_s = scale.pick(0.0, usual_budget_s, full_budget_s);
  run.turn_s = scale.is_full ? full_turn_s : usual_turn_s;
  run.seed = options.seed.value_or(std::random_device{}());
  run.progress = [&](const measure::Progress& progress) { line.show(progress); };
  run.is_stopped = measure::StopSignals::has_come;
  run.nursery = &nursery;
  nlohmann::ordered_json environment = measure::environment();  // its load is not ours yet
  Result result = measure::run(std::span<const Plan>(plans), scale, run);
  add_context(result, std::move(environment), options);
  return result;
}

/// Whether something that the baseline has became slower, or failed.
bool is_worse(const measure::Check& check, const Result& result) {
  return check.is_anything_slower() || std::ranges::any_of(result.rows, [&](const auto& row) {
           return row.status == measure::Status::failed &&
                  std::ranges::find(check.missing, measure::name_of(row)) != check.missing.end();
         });
}

bool has_measured(const Result& result) {
  return std::ranges::any_of(
      result.rows, [](const auto& row) { return row.status == measure::Status::measured; });
}

/// To the file of --json, or to the output. Of a run that was stopped before it had anything, what
/// is in the file is worth more.
void write_result(const Result& result, const std::optional<JsonFile>& json,
                  const BenchOptions& options) {
  if (!options.json.has_value()) return;
  if (!result.is_complete && !has_measured(result)) {
    if (!is_output(options)) {
      say_on_stderr(fmt::format("nothing was measured before it was stopped, and '{}' is as it was",
                                measure::shortened(*options.json)));
    }
    return;
  }
  const std::string text = measure::to_text(result);
  if (json.has_value()) {
    json->write_text(text);
    return;
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw ToolError(fmt::format("the output cannot be written ({}); make room or send it elsewhere",
                              std::strerror(errno)));
}

/// What no longer is as in the baseline. Returns the exit code.
int compare(Screen& screen, const Result& result, const Result& baseline,
            const BenchOptions& options) {
  const measure::Check check = measure::check(baseline, result);
  print_check(screen, check, measure::shortened(*options.baseline));
  if (!baseline.is_complete) {
    screen.text(0, fmt::format("! '{}' is of a run that was stopped half-way: what it lacks was "
                               "compared with nothing.",
                               measure::shortened(*options.baseline)));
    screen.flush();
  }
  if (check.changes.empty() && result.is_complete) {
    throw ToolError(fmt::format("nothing of '{}' was measured again: nothing can be compared",
                                measure::shortened(*options.baseline)));
  }
  if (is_worse(check, result)) return exit_failure;
  return check.is_too_noisy() ? measure::exit_too_noisy : exit_success;
}

/// Says which rows failed. Returns the exit code.
int say_failed(const Result& result) {
  const auto is_failed = [](const measure::Row& row) {
    return row.status == measure::Status::failed;
  };
  const auto first = std::ranges::find_if(result.rows, is_failed);
  if (first == result.rows.end()) return exit_success;
  const auto count = static_cast<std::uint64_t>(std::ranges::count_if(result.rows, is_failed));
  say_on_stderr(
      fmt::format("{} failed; {}{}: {}", counted(count, "row"), count > 1 ? "the first is " : "",
                  measure::shortened(measure::name_of(*first)), printable(first->reason)));
  return exit_failure;
}

/// All there is to say of a result; the file first, as who reads the output may leave.
int report(const Result& result, const std::optional<Result>& baseline,
           const std::optional<JsonFile>& json, const std::vector<Experiment>& experiments,
           const BenchOptions& options) {
  std::optional<ToolError> unwritten;
  try {
    write_result(result, json, options);
  } catch (const ToolError& error) {
    unwritten = error;
  }
  Screen screen = screen_of(is_output(options) ? stderr : stdout);
  if (options.is_quiet) {
    print_warnings(screen, result);
  } else {
    print_result(screen, result, experiments);
  }
  int exit_code = exit_success;
  if (baseline.has_value()) exit_code = compare(screen, result, *baseline, options);
  if (unwritten.has_value()) throw ToolError(*unwritten);
  if (!result.is_complete) return exit_stopped;
  return say_failed(result) == exit_success ? exit_code : exit_failure;
}

}  // namespace

int run_bench(const BenchOptions& options) {
  if (options.lists) {
    Screen screen = screen_of(stdout);
    return list_names(screen, measure::plan(measure::experiments(), measure::Scale()));
  }
  measure::take_back_signals();
  check_files(options);
  measure::Scale scale;
  scale.is_full = options.is_full;
  scale.is_quick = is_quick();
  scale.trace_file = options.trace.value_or("");
  const std::vector<Experiment> candidates = chosen(options.experiments);
  check_trace(options, options.experiments);
  std::vector<Plan> plans = measure::plan(candidates, scale);
  // A baseline has many samples: sides are to be forked from a process that does not have them.
  measure::SideNursery nursery(plans);
  std::optional<Result> baseline = baseline_of(options);
  const std::vector<std::string> words = names_of_experiments(options, baseline);
  const std::vector<Experiment> experiments = chosen(words);
  check_trace(options, words);
  check_mechanisms(options);
  if (!words.empty()) measure::keep_experiments(plans, words);
  if (baseline.has_value()) keep_chosen(*baseline, words, options);
  choose_mechanisms(plans, names_of_sides(options, baseline));
  std::optional<JsonFile> json;
  if (options.json.has_value() && !is_output(options)) {
    json.emplace(*options.json, "--json",
                 scale.pick(quick_room_bytes, usual_room_bytes, full_room_bytes));
  }
  const measure::StopSignals signals;
  const Result result = measure_all(plans, scale, nursery, options);
  return report(result, baseline, json, experiments, options);
}

}  // namespace cow::tool
