#include "measure/engine/run.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "measure/engine/noise.hpp"
#include "measure/engine/take_turns.hpp"
#include "measure/host/child_process.hpp"
#include "measure/host/clock.hpp"
#include "measure/host/machine_state.hpp"
#include "measure/host/memory_room.hpp"

namespace cow::measure {
namespace {

constexpr std::size_t quick_turns = 2;
// Enough for intervals and the rank test: more would be taken from workloads whose turns are long.
constexpr std::size_t usual_turns = 31;
constexpr double patience = 1.5;  ///< so much of its share a comparison may take for least turns
constexpr double usable_share = 0.9;  ///< of the memory that is there

double gib(double bytes) { return bytes / (1U << 30U); }

/// Which sides have room in memory beside one another: all, where nobody can say how much there is.
/// The one that the others are compared with comes first.
struct Fitting {
  std::vector<bool> is_in;
  std::string why_not;  ///< of those that are left out
};

Fitting fitting(const Comparison& comparison) {
  Fitting fitting{std::vector<bool>(comparison.sides.size(), true), {}};
  const std::optional<MemoryRoom> room = memory_room();
  if (!room.has_value() || comparison.memory_bytes == 0) return fitting;
  const auto needed = static_cast<double>(comparison.memory_bytes);
  const auto usable = static_cast<double>(room->bytes) * usable_share;
  auto left = static_cast<std::size_t>(
      std::min(usable / needed, static_cast<double>(comparison.sides.size())));
  if (left == comparison.sides.size()) return fitting;
  fitting.why_not = fmt::format(
      "too little memory: each of {} sides needs {:.1f} GiB, and {} has {:.1f} GiB left",
      comparison.sides.size(), gib(needed), room->whose, gib(static_cast<double>(room->bytes)));
  const auto take_if = [&](bool is_against) {
    for (std::size_t i = 0; i < comparison.sides.size(); ++i) {
      if ((comparison.sides[i].mechanism == comparison.against) != is_against) continue;
      fitting.is_in[i] = left > 0;
      if (left > 0) --left;
    }
  };
  take_if(true);
  take_if(false);
  return fitting;
}

/// Those of the comparison's sides that are in, or those that are not.
Comparison part_of(const Comparison& whole, const std::vector<bool>& is_in, bool which) {
  Comparison part = whole;
  part.sides.clear();
  for (std::size_t i = 0; i < whole.sides.size(); ++i) {
    if (is_in[i] == which) part.sides.push_back(whole.sides[i]);
  }
  return part;
}

class Budget {
 public:
  Budget(double seconds, std::size_t comparisons) : seconds_(seconds), left_(comparisons) {
    all_ = std::max<std::size_t>(1, comparisons);
  }

  [[nodiscard]] double share_s() const {
    return measure::share_s(seconds_, elapsed_ns(start_) / 1e9, all_, left_);
  }
  void one_is_done() { --left_; }

  /// `done` of the comparison that is being measured. What is left is told from what was needed so
  /// far, and is not more than the budget's rest, unless that is used up.
  [[nodiscard]] Progress progress(double done) const {
    const double elapsed_s = elapsed_ns(start_) / 1e9;
    Progress progress;
    progress.done = (static_cast<double>(all_ - left_) + done) / static_cast<double>(all_);
    progress.left_s = std::max(0.0, seconds_ - elapsed_s);
    if (progress.done > 0) {
      const double by_pace = elapsed_s * (1 - progress.done) / progress.done;
      if (progress.left_s <= 0 || by_pace < progress.left_s) progress.left_s = by_pace;
    }
    return progress;
  }

 private:
  std::uint64_t start_ = now_ns();
  double seconds_;
  std::size_t left_;
  std::size_t all_;
};

std::size_t count_comparisons(std::span<const Plan> plans) {
  std::size_t count = 0;
  for (const Plan& plan : plans) count += plan.comparisons.size();
  return count;
}

void add_rows(std::vector<Row>& rows, std::vector<Row> more, bool is_quick) {
  for (Row& row : more) {
    if (!is_quick) {
      for (std::string& warning : warnings_of(row)) row.warnings.push_back(std::move(warning));
    }
    rows.push_back(std::move(row));
  }
}

class Run {
 public:
  Run(std::span<const Plan> plans, const Scale& scale, const RunOptions& options)
      : plans_(plans),
        scale_(scale),
        options_(options),
        order_(options.seed),
        budget_(options.budget_s, count_comparisons(plans)) {}

  Result measure() {
    const std::uint64_t start = now_ns();
    const Guardian guardian;
    std::optional<SideNursery> own;
    nursery_ = options_.nursery != nullptr ? options_.nursery : &own.emplace(plans_);
    result_.is_full = scale_.is_full;
    result_.is_quick = scale_.is_quick;
    const std::optional<double> load = load_of_a_minute();
    const Noise before = measure_noise(options_.is_stopped);
    result_.noise_ns = before.samples_ns;
    result_.warnings = warnings_before(before, load, scale_.is_quick);
    nlohmann::ordered_json& how = result_.context["cow_bench"];
    how["order_seed"] = options_.seed;
    if (before.processor.has_value()) how["pinned_to"] = *before.processor;
    compare_all(before.processor);
    if (result_.is_complete) {
      const Noise after = measure_noise(options_.is_stopped);
      for (std::string& warning : warnings_after(before, after)) {
        result_.warnings.push_back(std::move(warning));
      }
    } else {
      result_.warnings.emplace_back("stopped half-way: only what was measured by then is here");
    }
    result_.duration_s = elapsed_ns(start) / 1e9;
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool is_stopped() const { return options_.is_stopped && options_.is_stopped(); }

  void compare_all(std::optional<int> processor) {
    for (const Plan& plan : plans_) {
      for (const Comparison& comparison : plan.comparisons) {
        if (is_stopped()) break;
        compare(plan.experiment->name, comparison, processor);
        budget_.one_is_done();
      }
    }
    result_.is_complete = !is_stopped();
  }

  void compare(std::string_view experiment, const Comparison& comparison,
               std::optional<int> processor) {
    const Fitting fits = fitting(comparison);
    const Comparison in = part_of(comparison, fits.is_in, true);
    const Comparison out = part_of(comparison, fits.is_in, false);
    if (!in.sides.empty()) take_turns_of(experiment, in, processor);
    add_rows(result_.rows, rows_without(experiment, out, Status::skipped, fits.why_not),
             scale_.is_quick);
  }

  void take_turns_of(std::string_view experiment, const Comparison& comparison,
                     std::optional<int> processor) {
    TurnLimits limits;
    limits.share_s = budget_.share_s();
    if (options_.budget_s > 0) limits.most_s = patience * limits.share_s;
    limits.turn_s = options_.turn_s;
    limits.processor = processor;
    limits.nursery = nursery_;
    limits.is_stopped = options_.is_stopped;
    if (!scale_.is_full) limits.most_turns = scale_.is_quick ? quick_turns : usual_turns;
    limits.progress = [&](double done) {
      if (!options_.progress) return;
      Progress progress = budget_.progress(done);
      progress.experiment = experiment;
      progress.workload = comparison.workload;
      options_.progress(progress);
    };
    limits.progress(0);
    add_rows(result_.rows, take_turns(experiment, comparison, limits, order_), scale_.is_quick);
  }

  std::span<const Plan> plans_;
  const Scale& scale_;
  const RunOptions& options_;
  Order order_;
  Budget budget_;
  SideNursery* nursery_ = nullptr;
  Result result_;
};

}  // namespace

double share_s(double budget_s, double used_s, std::size_t all, std::size_t left) {
  const double fair_s = budget_s / static_cast<double>(std::max<std::size_t>(1, all));
  const double rest_s = (budget_s - used_s) / static_cast<double>(std::max<std::size_t>(1, left));
  return std::max(fair_s, rest_s);
}

Result run(std::span<const Plan> plans, const Scale& scale, const RunOptions& options) {
  return Run(plans, scale, options).measure();
}

Result run(std::span<const Experiment> chosen, const Scale& scale, const RunOptions& options) {
  const std::vector<Plan> plans = plan(chosen, scale);
  return run(std::span<const Plan>(plans), scale, options);
}

}  // namespace cow::measure
