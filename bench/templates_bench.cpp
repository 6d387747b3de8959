// Processes that start from 32 MiB which another one has prepared: 1, 10 and 100 of them, each of
// which reads all pages and stores to 1 % of them. The time is the median processor time until
// a process can load and store, without that of exec; `pass_us` is the first pass over the pages;
// the memory is the kernel's own count, in which each page is divided by the number of processes
// that show it.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <string>
#include <vector>

#include "session.hpp"
#include "template_starts.hpp"

namespace cow_bench {
namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void start_processes(benchmark::State& state, Start start, std::size_t processes) {
  const std::size_t bytes = full_or_quick(32 * mib, mib);
  const std::size_t crowds =
      full_or_quick<std::size_t>(std::max<std::size_t>(1, 11 / processes), 1);
  for (auto _ : state) {
    try {
      const Prepared prepared(start, bytes);
      Started all;
      for (std::size_t i = 0; i < crowds; ++i) {
        const Started crowd = prepared.start(processes);
        all.start_ns.insert(all.start_ns.end(), crowd.start_ns.begin(), crowd.start_ns.end());
        all.pass_ns.insert(all.pass_ns.end(), crowd.pass_ns.begin(), crowd.pass_ns.end());
        all.memory_bytes = crowd.memory_bytes;
      }
      state.SetIterationTime(median(all.start_ns) / 1e9);
      state.counters["pass_us"] = median(all.pass_ns) / 1e3;
      state.counters["memory_MiB"] = all.memory_bytes / static_cast<double>(mib);
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
      break;
    }
  }
}

void register_all() {
  const std::size_t most = full_or_quick<std::size_t>(100, 3);
  for (const std::size_t processes : {std::size_t{1}, std::size_t{10}, std::size_t{100}}) {
    if (processes > most && processes != 10) continue;
    for (const Start start : every_start) {
      const std::size_t count = std::min(processes, most);
      const std::string name =
          std::string("start/") + name_of(start) + "/processes:" + std::to_string(count);
      benchmark::RegisterBenchmark(
          name.c_str(), [=](benchmark::State& state) { start_processes(state, start, count); })
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  if (const auto status = cow_bench::run_as_started(argc, argv)) return *status;
  cow_bench::register_all();
  return cow_bench::run_google_benchmarks(argc, argv, 8 * cow_bench::gib);
}
