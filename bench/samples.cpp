#include "samples.hpp"

#include <algorithm>
#include <cmath>

namespace cow_bench {

void Samples::add(const Samples& others) {
  values_.insert(values_.end(), others.values_.begin(), others.values_.end());
}

double Samples::percentile(double percent) const {
  if (values_.empty()) {
    return 0;
  }
  std::vector<double> sorted = values_;
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  const auto index = std::min(sorted.size(), static_cast<std::size_t>(std::max(rank, 1.0))) - 1;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(index),
                   sorted.end());
  return sorted[index];
}

void record(benchmark::State& state, Samples& samples, double ns) {
  samples.add(ns);
  state.SetIterationTime(ns * 1e-9);
}

void report_percentiles(benchmark::State& state, const Samples& samples) {
  state.counters["p50_ns"] = samples.percentile(50);
  state.counters["p90_ns"] = samples.percentile(90);
  state.counters["p99_ns"] = samples.percentile(99);
  state.counters["p99.9_ns"] = samples.percentile(99.9);
}

void run_in_rounds(benchmark::State& state, const std::function<Samples()>& round) {
  Samples all;
  Samples current;
  std::size_t next = 0;
  for (auto _ : state) {
    if (next == current.size()) {
      current = round();
      next = 0;
      if (current.size() == 0) {
        state.SkipWithError("a round measured nothing");
        break;
      }
    }
    record(state, all, current.values()[next++]);
  }
  report_percentiles(state, all);
}

}  // namespace cow_bench
