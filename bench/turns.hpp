#pragma once

// Sides that take turns on the engine of `cow bench`: each in a process of its own, in random
// order, after a rehearsal.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "measure/experiment.hpp"
#include "samples.hpp"
#include "session.hpp"

namespace cow_bench {

/// What one turn of a side found: values of each of its figures.
class Figures {
 public:
  /// One value each.
  Figures(std::initializer_list<double> values);
  Figures(double value) : Figures({value}) {}  // NOLINT(google-explicit-constructor): as a number
  explicit Figures(const std::vector<double>& values);
  /// The next figure, with as many values as this turn has of it.
  void add(std::vector<double> values) { values_.push_back(std::move(values)); }

  [[nodiscard]] const std::vector<std::vector<double>>& values() const { return values_; }

 private:
  std::vector<std::vector<double>> values_;
};

/// A turn of a side; 0 is the rehearsal. Sides do the same in the turn of the same number.
using Turn = std::function<Figures(std::uint64_t turn)>;

/// Sets up a side, in a process that has its memory and nothing else's: fork() copies page tables
/// of all there is, and handlers of signals do not meet. May throw measure::Unavailable.
using Prepare = std::function<Turn()>;

/// A side whose every turn makes what it needs. `time` returns Figures, or one in nanoseconds.
template <typename Time>
[[nodiscard]] Prepare turns_of(Time time) {
  return [time]() -> Turn { return time; };
}

/// A side over what `make` sets up, which lasts for all of its turns: `time` is given a reference.
template <typename Make, typename Time>
[[nodiscard]] Prepare turns_over(Make make, Time time) {
  return [make, time]() -> Turn {
    using Lasting = decltype(make());
    const std::shared_ptr<Lasting> lasting(new Lasting(make()));  // in place: it need not move
    return [lasting, time](std::uint64_t turn) -> Figures { return time(*lasting, turn); };
  };
}

/// The sides of one comparison.
class Turns {
 public:
  explicit Turns(std::size_t rounds) : rounds_(rounds) {}

  /// `into` are where its figures go, in their order; null where one is not wanted.
  void add(std::string name, Prepare prepare, std::vector<Samples*> into);
  /// Sides have threads: none is kept on one processor.
  void have_company() { comparison_.has_company = true; }

  /// A turn of each in every round. Throws measure::Unavailable where a side cannot be had, and
  /// std::runtime_error where one failed, with what it said.
  void take();

 private:
  std::size_t rounds_;
  cow::measure::Comparison comparison_;
  std::vector<std::vector<Samples*>> into_;  ///< of each side
};

/// Where sides without company are kept: the processor that the noise was measured on.
void keep_sides_on(std::optional<int> processor);

[[nodiscard]] inline std::size_t rounds(std::size_t full) {
  return full_or_quick<std::size_t>(full, 2);
}

}  // namespace cow_bench
