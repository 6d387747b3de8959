#include "measure/engine/take_turns.hpp"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "measure/engine/side_process.hpp"
#include "measure/host/clock.hpp"

namespace cow::measure {
namespace {

Row empty_row(std::string_view experiment, const Comparison& comparison, const Side& side) {
  Row row;
  row.experiment = experiment;
  row.workload = comparison.workload;
  row.mechanism = side.mechanism;
  row.parameters = comparison.parameters;
  row.parameters.update(side.parameters);
  row.unit = comparison.unit;
  row.sample = comparison.sample;
  row.warnings = comparison.warnings;
  row.counters_absent = comparison.counters_absent;
  row.against = comparison.against == side.mechanism ? "" : comparison.against;
  if (!row.against.empty()) row.at_most = comparison.at_most;
  return row;
}

void add_samples(Row& row, TurnResult result) {
  row.samples.insert(row.samples.end(), result.samples.begin(), result.samples.end());
  row.turn_sizes.push_back(result.samples.size());
  for (NamedSamples& part : result.parts) {
    const auto known = std::find_if(row.parts.begin(), row.parts.end(),
                                    [&](const NamedSamples& p) { return p.name == part.name; });
    if (known == row.parts.end()) {
      row.parts.push_back(std::move(part));
    } else {
      known->values.insert(known->values.end(), part.values.begin(), part.values.end());
    }
  }
  row.counts = std::move(result.counts);
}

/// The sides of one comparison and what they have found so far.
class Sides {
 public:
  Sides(std::string_view experiment, const Comparison& comparison, const TurnLimits& limits,
        Order& order)
      : comparison_(comparison), limits_(limits), order_(order) {
    for (const Side& side : comparison.sides) {
      sides_.push_back({empty_row(experiment, comparison, side), nullptr});
    }
  }

  void prepare() {
    for (std::size_t i = 0; i < sides_.size() && !is_stopped_; ++i) {
      SideLimits limits{std::nullopt, limits_.turn_s, limits_.is_stopped};
      if (!comparison_.has_company) limits.processor = limits_.processor;
      try {
        sides_[i].process = process_of(i, limits);
        take(sides_[i], sides_[i].process->prepare());
      } catch (const std::exception& error) {
        take(sides_[i], {Outcome::State::failed,
                         std::string("no process can be had for it: ") + error.what(),
                         {}});
      }
    }
  }

  /// A turn of every side that is left.
  void round(std::uint64_t number) {
    for (const std::size_t i : order_.next(sides_.size())) {
      if (is_stopped_ || sides_[i].process == nullptr) continue;
      Outcome outcome = sides_[i].process->turn(number);
      const bool counts = number > 0 && outcome.state == Outcome::State::done;
      if (counts) add_samples(sides_[i].row, std::move(outcome.result));
      if (!counts) take(sides_[i], std::move(outcome));
    }
  }

  [[nodiscard]] bool goes_on() const {
    return !is_stopped_ && std::any_of(sides_.begin(), sides_.end(),
                                       [](const Taker& side) { return side.process != nullptr; });
  }
  [[nodiscard]] std::size_t most_samples() const {
    std::size_t most = 0;
    for (const Taker& side : sides_) most = std::max(most, side.row.samples.size());
    return most;
  }

  /// Of every side that is left.
  void warn(const std::string& sentence) {
    for (Taker& side : sides_) {
      if (side.process != nullptr) side.row.warnings.push_back(sentence);
    }
  }

  [[nodiscard]] std::vector<Row> rows() {
    std::vector<Row> rows;
    for (Taker& side : sides_) {
      side.process.reset();
      const bool is_nothing = side.row.status == Status::measured && side.row.samples.empty();
      if (!is_nothing) rows.push_back(std::move(side.row));
    }
    return rows;
  }

 private:
  struct Taker {
    Row row;
    std::unique_ptr<SideProcess> process;  ///< none once it was skipped or has failed
  };

  [[nodiscard]] std::unique_ptr<SideProcess> process_of(std::size_t i, const SideLimits& limits) {
    const Side& side = comparison_.sides[i];
    if (limits_.nursery == nullptr) return std::make_unique<SideProcess>(side, limits);
    return std::make_unique<SideProcess>(
        limits_.nursery->make(sides_[i].row.experiment, comparison_.workload, side.mechanism,
                              limits.processor),
        limits);
  }

  void take(Taker& side, Outcome outcome) {
    if (outcome.state == Outcome::State::done) return;
    if (outcome.state == Outcome::State::stopped) {
      is_stopped_ = true;
      return;
    }
    side.row.status = outcome.state == Outcome::State::skipped ? Status::skipped : Status::failed;
    side.row.reason = std::move(outcome.reason);
    side.row.samples.clear();
    side.row.turn_sizes.clear();
    side.row.parts.clear();
    side.row.counts.clear();
    side.process.reset();
  }

  const Comparison& comparison_;
  const TurnLimits& limits_;
  Order& order_;
  std::vector<Taker> sides_;
  bool is_stopped_ = false;
};

}  // namespace

std::vector<Row> rows_without(std::string_view experiment, const Comparison& comparison,
                              Status status, const std::string& reason) {
  std::vector<Row> rows;
  for (const Side& side : comparison.sides) {
    rows.push_back(empty_row(experiment, comparison, side));
    rows.back().status = status;
    rows.back().reason = reason;
  }
  return rows;
}

std::vector<Row> take_turns(std::string_view experiment, const Comparison& comparison,
                            const TurnLimits& limits, Order& order) {
  const std::uint64_t start = now_ns();
  Sides sides(experiment, comparison, limits, order);
  const auto say_how_far = [&](double of_turns) {
    if (!limits.progress) return;
    const double of_time = elapsed_ns(start) / std::max(1.0, limits.share_s * 1e9);
    limits.progress(std::min(1.0, std::max(of_time, of_turns)));
  };
  sides.prepare();
  const double rehearsal_start_s = elapsed_ns(start) / 1e9;
  if (sides.goes_on()) sides.round(0);
  std::size_t most_turns = std::max(comparison.least_turns, comparison.most_turns);
  std::size_t least_turns = comparison.least_turns;
  if (limits.most_turns.has_value()) {
    most_turns = std::min(most_turns, *limits.most_turns);
    least_turns = std::min(least_turns, most_turns);
  }
  double round_s = elapsed_ns(start) / 1e9 - rehearsal_start_s;
  for (std::size_t turn = 1; turn <= most_turns && sides.goes_on(); ++turn) {
    const double start_s = elapsed_ns(start) / 1e9;
    const bool is_enough = sides.most_samples() >= limits.most_samples;
    if (turn > least_turns && (start_s + round_s > limits.share_s || is_enough)) break;
    if (turn > 1 && limits.most_s.has_value() && start_s + round_s > *limits.most_s) {
      sides.warn(fmt::format("{} turn{} only: the time was over", turn - 1, turn == 2 ? "" : "s"));
      break;
    }
    say_how_far(static_cast<double>(turn) / static_cast<double>(most_turns));
    sides.round(turn);
    round_s = elapsed_ns(start) / 1e9 - start_s;
  }
  return sides.rows();
}

}  // namespace cow::measure
