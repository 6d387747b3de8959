#include "turns.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "measure/engine/order.hpp"
#include "measure/engine/take_turns.hpp"
#include "measure/host/child_process.hpp"

namespace cow_bench {

namespace {

namespace measure = cow::measure;

// A turn may fill a gibibyte first, and a side may be 10,000 rounds old when it is prepared; on a
// slow machine, and on a busy one.
constexpr double most_of_a_turn_s = 1800;

std::optional<int> g_processor;

/// One for the whole program: the same in each run.
measure::Order& order_of_turns() {
  static measure::Order order(1);
  return order;
}

/// The first figure is the samples, the others are parts.
measure::TurnResult as_result(const Figures& figures) {
  measure::TurnResult result;
  for (std::size_t i = 0; i < figures.values().size(); ++i) {
    if (i == 0) {
      result.samples = figures.values()[i];
    } else {
      result.parts.push_back({std::to_string(i), figures.values()[i]});
    }
  }
  return result;
}

void keep(const measure::Row& row, const std::vector<Samples*>& into) {
  if (!into.empty() && into.front() != nullptr) into.front()->add(Samples(row.samples));
  for (std::size_t i = 1; i < into.size(); ++i) {
    if (into[i] == nullptr) continue;
    for (const measure::NamedSamples& part : row.parts) {
      if (part.name == std::to_string(i)) into[i]->add(Samples(part.values));
    }
  }
}

void check(const measure::Row& row) {
  if (row.status == measure::Status::measured) return;
  if (row.status == measure::Status::skipped) throw measure::Unavailable(row.reason);
  throw std::runtime_error(fmt::format("{}: {}", row.mechanism, row.reason));
}

}  // namespace

Figures::Figures(std::initializer_list<double> values) : Figures(std::vector<double>(values)) {}

Figures::Figures(const std::vector<double>& values) {
  for (const double value : values) values_.push_back({value});
}

void Turns::add(std::string name, Prepare prepare, std::vector<Samples*> into) {
  measure::Side side;
  side.mechanism = std::move(name);
  side.prepare = [prepare = std::move(prepare)]() -> measure::Turn {
    return [turn = prepare()](std::uint64_t number) { return as_result(turn(number)); };
  };
  comparison_.sides.push_back(std::move(side));
  into_.push_back(std::move(into));
}

void Turns::take() {
  comparison_.least_turns = comparison_.most_turns = rounds_;
  measure::TurnLimits limits;
  limits.turn_s = most_of_a_turn_s;
  limits.processor = g_processor;
  const measure::Guardian guardian;
  const std::vector<measure::Row> rows =
      measure::take_turns("", comparison_, limits, order_of_turns());
  for (std::size_t i = 0; i < rows.size(); ++i) check(rows[i]);
  for (std::size_t i = 0; i < rows.size(); ++i) keep(rows[i], into_[i]);
}

void keep_sides_on(std::optional<int> processor) { g_processor = processor; }

}  // namespace cow_bench
