#include "samples.hpp"

#include "measure/figures/statistics.hpp"

namespace cow_bench {

void Samples::add(const Samples& others) {
  values_.insert(values_.end(), others.values_.begin(), others.values_.end());
}

double Samples::percentile(double percent) const {
  return values_.empty() ? 0 : cow::measure::percentile(values_, percent);
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
