// What a crowd of clones weighs: 100 clones of 256 MiB, 1 % of the pages of each written. The time
// is that of making and writing all of them; the counters are the subject. With
// windows (the default) and with a window of one page, where every fault copies just its page.

#include <benchmark/benchmark.h>
#include <cow/options.hpp>

#include <cstddef>
#include <exception>
#include <string>

#include "memory_use.hpp"
#include "session.hpp"

namespace cow_bench {
namespace {

void crowd_of_clones(benchmark::State& state, Spread spread, std::size_t max_window_pages) {
  const Crowd crowd{.clones = full_or_quick<std::size_t>(100, 5),
                    .bytes = full_or_quick(256 * mib, 4 * mib),
                    .per_mille = 10,
                    .spread = spread,
                    .options = {.max_window_pages = max_window_pages}};
  for (auto _ : state) {
    MemoryUse use;
    try {
      use = measure_crowd(crowd);
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
      break;
    }
    state.SetIterationTime(use.seconds);
    state.counters["clones"] = static_cast<double>(use.clones);
    state.counters["frames"] = static_cast<double>(use.frames_in_use);
    state.counters["frames_least"] = static_cast<double>(use.frames_least);
    state.counters["frames_ratio"] = use.frames_ratio();
    state.counters["metadata_KiB"] = static_cast<double>(use.bytes_metadata) / kib;
    state.counters["metadata_%_of_copies"] = 100 * use.metadata_ratio();
    state.counters["mappings"] = static_cast<double>(use.mappings_in_use);
    state.counters["mappings_wanted"] = static_cast<double>(use.mappings_wanted);
    state.counters["mapping_budget"] = static_cast<double>(use.mapping_budget);
  }
}

void register_all() {
  for (const Spread spread : every_spread) {
    for (const std::size_t window : {cow::RegionOptions{}.max_window_pages, std::size_t{1}}) {
      const std::string name =
          "crowd_of_clones/" + std::string(name_of(spread)) + "/window:" + std::to_string(window);
      benchmark::RegisterBenchmark(
          name.c_str(), [=](benchmark::State& state) { crowd_of_clones(state, spread, window); })
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  cow_bench::register_all();
  return cow_bench::run_google_benchmarks(argc, argv, 4 * cow_bench::gib);
}
