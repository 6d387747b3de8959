// How long a clone takes: lazy, eager, by memcpy and by fork(), over the size of the memory.
// The time is that of the call alone; what it made is dropped outside the time.

#include <benchmark/benchmark.h>
#include <cow/cow.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "forking.hpp"
#include "machine.hpp"
#include "plain_memory.hpp"
#include "samples.hpp"
#include "session.hpp"
#include "stores.hpp"

namespace cow_bench {
namespace {

std::size_t size_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0)) * mib;
}

/// Skips a size that this machine cannot hold `copies` times, with some room to spare.
bool fits(benchmark::State& state, std::size_t copies) {
  if (available_bytes() / 5 * 4 >= copies * size_of(state)) {
    return true;
  }
  state.SkipWithError("not enough free memory");
  return false;
}

/// A lazy clone while every page is read-only already, as after an earlier clone.
void lazy_clone(benchmark::State& state) {
  if (!fits(state, 1)) {
    return;
  }
  const cow::Region region = protected_region(size_of(state));
  Samples samples;
  for (auto _ : state) {
    const std::uint64_t start = now_ns();
    const cow::Region clone = region.clone();
    record(state, samples, elapsed_ns(start));
  }
  report_percentiles(state, samples);
}

/// The same for a snapshot, which maps nothing.
void unchanged_snapshot(benchmark::State& state) {
  if (!fits(state, 1)) {
    return;
  }
  const cow::Region region = protected_region(size_of(state));
  Samples samples;
  for (auto _ : state) {
    const std::uint64_t start = now_ns();
    const cow::Snapshot snapshot = region.snapshot();
    record(state, samples, elapsed_ns(start));
  }
  report_percentiles(state, samples);
}

/// A snapshot after some thousandths of the pages were written: it write-protects those.
void snapshot_after_writing(benchmark::State& state, std::size_t per_mille, Order order) {
  if (!fits(state, 2)) {
    return;
  }
  cow::Region region = protected_region(size_of(state));
  const Pages pages = pages_of(region);
  const auto written = choose_pages(pages.count, share_of(pages.count, per_mille), order, 1);
  Samples samples;
  for (auto _ : state) {
    time_stores(pages, written, 2);
    const std::uint64_t start = now_ns();
    const cow::Snapshot snapshot = region.snapshot();
    record(state, samples, elapsed_ns(start));
  }
  report_percentiles(state, samples);
}

void eager_clone(benchmark::State& state) {
  if (!fits(state, 2)) {
    return;
  }
  const cow::Region region = protected_region(size_of(state));
  Samples samples;
  for (auto _ : state) {
    const std::uint64_t start = now_ns();
    const cow::Region clone = region.clone(cow::CloneMode::eager);
    record(state, samples, elapsed_ns(start));
  }
  report_percentiles(state, samples);
}

/// What one would do without libcow: memcpy into fresh memory.
void plain_copy(benchmark::State& state) {
  if (!fits(state, 2)) {
    return;
  }
  const PlainMemory memory = PlainMemory::anonymous(size_of(state));
  Samples samples;
  for (auto _ : state) {
    const std::uint64_t start = now_ns();
    const PlainMemory copy = PlainMemory::untouched(memory.size());
    std::memcpy(copy.data(), memory.data(), memory.size());
    record(state, samples, elapsed_ns(start));
  }
  report_percentiles(state, samples);
}

/// fork() of this process with so much plain memory in it and no region alive.
void fork_of_process(benchmark::State& state, bool reaped) {
  if (!fits(state, 1)) {
    return;
  }
  const PlainMemory memory = PlainMemory::anonymous(size_of(state));
  Samples samples;
  for (auto _ : state) {
    const ForkTimes times = time_fork();
    record(state, samples, reaped ? times.reaped_ns : times.returned_ns);
  }
  report_percentiles(state, samples);
}

/// Many repetitions where one is short, so that the percentiles mean something.
benchmark::IterationCount repetitions(std::size_t size_mib, std::size_t total_mib,
                                      benchmark::IterationCount most) {
  if (quick()) {
    return 2;
  }
  const auto wanted = static_cast<benchmark::IterationCount>(total_mib / size_mib);
  return std::clamp<benchmark::IterationCount>(wanted, 3, most);
}

template <typename Function>
void register_over_sizes(const std::string& name, std::size_t total_mib,
                         benchmark::IterationCount most, Function function) {
  const std::vector<std::size_t> sizes =
      quick() ? std::vector<std::size_t>{1, 4}
              : std::vector<std::size_t>{1, 4, 16, 64, 256, 1024, 4096};
  for (const std::size_t size : sizes) {
    benchmark::RegisterBenchmark(name.c_str(), function)
        ->ArgName("MiB")
        ->Arg(static_cast<std::int64_t>(size))
        ->Iterations(repetitions(size, total_mib, most))
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

void register_all() {
  constexpr std::size_t cheap = 512 * 1024;  // MiB gone through by all repetitions of one size
  constexpr std::size_t dear = 8 * 1024;
  register_over_sizes("lazy_clone", cheap, 500, lazy_clone);
  register_over_sizes("unchanged_snapshot", cheap, 500, unchanged_snapshot);
  register_over_sizes("snapshot_after_writing/1%_at_random", dear, 100,
                      [](auto& state) { snapshot_after_writing(state, 10, Order::random); });
  register_over_sizes("snapshot_after_writing/all", dear, 100,
                      [](auto& state) { snapshot_after_writing(state, 1000, Order::sequential); });
  register_over_sizes("eager_clone", dear, 100, eager_clone);
  register_over_sizes("plain_copy", dear, 100, plain_copy);
  register_over_sizes("fork/returned", 4 * dear, 100,
                      [](auto& state) { fork_of_process(state, false); });
  register_over_sizes("fork/child_reaped", 4 * dear, 100,
                      [](auto& state) { fork_of_process(state, true); });
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  cow_bench::register_all();
  return cow_bench::run_google_benchmarks(argc, argv, 10 * cow_bench::gib);
}
