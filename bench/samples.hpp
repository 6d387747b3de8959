#pragma once

// Times of single events, kept one by one: a mean hides what a tail does to a program.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace cow_bench {

class Samples {
 public:
  Samples() = default;
  explicit Samples(std::vector<double> values) : values_(std::move(values)) {}

  void add(double value) { values_.push_back(value); }
  void add(const Samples& others);
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] const std::vector<double>& values() const { return values_; }

  /// As cow::measure::percentile; 0 if there are none.
  [[nodiscard]] double percentile(double percent) const;
  [[nodiscard]] double median() const { return percentile(50); }

 private:
  std::vector<double> values_;
};

/// Notes one iteration of a benchmark with manual time.
void record(benchmark::State& state, Samples& samples, double ns);

/// Adds p50_ns, p90_ns, p99_ns and p99.9_ns to the benchmark's counters.
void report_percentiles(benchmark::State& state, const Samples& samples);

/// Runs a benchmark with manual time whose iteration is one single event: `round` measures a number
/// of them, in nanoseconds each, and is called as often as the iterations need. Reports
/// percentiles.
void run_in_rounds(benchmark::State& state, const std::function<Samples()>& round);

}  // namespace cow_bench
