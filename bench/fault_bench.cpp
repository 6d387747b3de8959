// One write fault, and what there is to compare it with: a bare signal, a bare protection fault,
// and the kernel's own copy on write. An iteration is a single fault, timed by itself; two readings
// of the clock are in every figure (see "clock").

#include <benchmark/benchmark.h>
#include <cow/cow.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bare_faults.hpp"
#include "fault_parts.hpp"
#include "machine.hpp"
#include "measure/mechanisms/forked_child.hpp"
#include "measure/mechanisms/numbers_of_child.hpp"
#include "plain_memory.hpp"
#include "samples.hpp"
#include "session.hpp"
#include "stores.hpp"

namespace cow_bench {
namespace {

namespace measure = cow::measure;

std::size_t memory_bytes() { return full_or_quick(256 * mib, 4 * mib); }

/// 1 % of the pages at random, or as many in order; others for each round.
std::vector<std::size_t> pages_to_store(std::size_t pages, Order order) {
  static std::uint64_t round = 0;
  return choose_pages(pages, share_of(pages, 10), order, ++round);
}

void clock_readings(benchmark::State& state) {
  run_in_rounds(state, [] {
    std::vector<double> times(1000);
    for (double& time : times) {
      const std::uint64_t start = now_ns();
      time = elapsed_ns(start);
    }
    return Samples(std::move(times));
  });
}

void signal_round_trip(benchmark::State& state) {
  run_in_rounds(state, [] { return time_signal_round_trips(1000); });
}

void bare_fault(benchmark::State& state, BareFault kind) {
  BareFaults all;
  run_in_rounds(state, [&all, kind] {
    BareFaults faults = time_bare_faults(full_or_quick<std::size_t>(1310, 50), kind);
    all.delivery.add(faults.delivery);
    all.handler.add(faults.handler);
    all.back.add(faults.back);
    return std::move(faults.total);
  });
  state.counters["delivery"] = all.delivery.median();
  state.counters["handler"] = all.handler.median();
  state.counters["return"] = all.back.median();
}

/// The kernel's copy of a file's page. `loaded`: every page was read through this mapping before.
void kernel_private_memfd(benchmark::State& state, bool loaded) {
  const FilledMemfd file(memory_bytes());
  run_in_rounds(state, [&] {
    const PlainMemory memory = file.map_private();
    if (loaded) {
      load_all(memory.pages());
    }
    return time_each_store(memory.pages(), pages_to_store(memory.pages().count, Order::random), 2);
  });
}

void kernel_after_fork_in_child(benchmark::State& state, Order order) {
  const PlainMemory memory = PlainMemory::anonymous(memory_bytes());
  const Pages pages = memory.pages();
  run_in_rounds(state, [&] {
    const auto chosen = pages_to_store(pages.count, order);
    return Samples(measure::numbers_of_child(chosen.size(), [&](std::span<double> times) {
      std::ranges::copy(time_each_store(pages, chosen, 2).values(), times.begin());
    }));
  });
}

void kernel_after_fork_in_parent(benchmark::State& state) {
  const PlainMemory memory = PlainMemory::anonymous(memory_bytes());
  run_in_rounds(state, [&] {
    const measure::SleepingChild child;
    return time_each_store(memory.pages(), pages_to_store(memory.pages().count, Order::random), 2);
  });
}

/// The first store to a page that was never written, in plain memory.
void kernel_first_store(benchmark::State& state) {
  run_in_rounds(state, [&] {
    const PlainMemory memory = PlainMemory::untouched(memory_bytes());
    return time_each_store(memory.pages(), pages_to_store(memory.pages().count, Order::random), 2);
  });
}

/// Stores to a fresh lazy clone. With windows some stores do not fault: their page came along with
/// a neighbour's fault.
void region_write_fault(benchmark::State& state, Order order, bool windows, bool loaded) {
  cow::RegionOptions options;
  options.max_window_pages = windows ? options.max_window_pages : 1;
  const cow::Region region = protected_region(memory_bytes(), options);
  std::uint64_t stores = 0;
  std::uint64_t faults = 0;
  run_in_rounds(state, [&] {
    cow::Region clone = region.clone();
    const Pages pages = pages_of(clone);
    if (loaded) {
      load_all(pages);
    }
    const auto chosen = pages_to_store(pages.count, order);
    Samples times = time_each_store(pages, chosen, 2);
    stores += chosen.size();
    faults += clone.stats().faults;
    return times;
  });
  state.counters["faults_per_store"] = static_cast<double>(faults) / static_cast<double>(stores);
}

/// A store to a page that is read-only but nobody else's any more: no copy.
void region_sole_owner_fault(benchmark::State& state) {
  cow::Region region = written_region(memory_bytes(), {.max_window_pages = 1});
  run_in_rounds(state, [&] {
    static_cast<void>(region.clone());
    const Pages pages = pages_of(region);
    return time_each_store(pages, pages_to_store(pages.count, Order::random), 2);
  });
}

/// The first store to a page of a new region.
void region_first_store(benchmark::State& state) {
  run_in_rounds(state, [&] {
    cow::Region region = cow::Region::create(memory_bytes(), {.max_window_pages = 1});
    const Pages pages = pages_of(region);
    return time_each_store(pages, pages_to_store(pages.count, Order::random), 2);
  });
}

/// The write fault in its parts, medians and 99th percentiles in nanoseconds.
void region_fault_parts(benchmark::State& state, Order order) {
  const auto clones = measure::timed_handler(memory_bytes(), measure::Kept::region);
  FaultParts all;
  run_in_rounds(state, [&] {
    const FaultParts parts =
        record_faults(*clones, pages_to_store(memory_bytes() / host_page_bytes(), order));
    all.add(parts);
    return parts.total;
  });
  for (const auto& [name, samples] : all.in_order()) {
    state.counters[std::string(name)] = samples->median();
    state.counters[std::string(name) + "_p99"] = samples->percentile(99);
  }
}

template <typename Function>
void add(const char* name, Function function) {
  benchmark::RegisterBenchmark(name, function)
      ->Iterations(full_or_quick(20'000, 100))
      ->UseManualTime()
      ->Unit(benchmark::kNanosecond);
}

void register_all() {
  using State = benchmark::State;
  add("clock", clock_readings);
  add("signal_round_trip", signal_round_trip);
  add("bare_fault/mprotect_alone", [](State& s) { bare_fault(s, BareFault::mprotect_alone); });
  add("bare_fault/mprotect_split", [](State& s) { bare_fault(s, BareFault::mprotect_split); });
  add("bare_fault/remap", [](State& s) { bare_fault(s, BareFault::remap); });
  add("kernel/first_store", kernel_first_store);
  add("kernel/private_memfd", [](State& s) { kernel_private_memfd(s, false); });
  add("kernel/private_memfd/read_before", [](State& s) { kernel_private_memfd(s, true); });
  add("kernel/after_fork/child/random",
      [](State& s) { kernel_after_fork_in_child(s, Order::random); });
  add("kernel/after_fork/child/sequential",
      [](State& s) { kernel_after_fork_in_child(s, Order::sequential); });
  add("kernel/after_fork/parent/random", kernel_after_fork_in_parent);
  add("region/first_store", region_first_store);
  add("region/sole_owner", region_sole_owner_fault);
  add("region/write_fault/random",
      [](State& s) { region_write_fault(s, Order::random, false, false); });
  add("region/write_fault/random/read_before",
      [](State& s) { region_write_fault(s, Order::random, false, true); });
  add("region/write_fault/sequential",
      [](State& s) { region_write_fault(s, Order::sequential, false, false); });
  add("region/store_with_windows/random",
      [](State& s) { region_write_fault(s, Order::random, true, false); });
  add("region/store_with_windows/sequential",
      [](State& s) { region_write_fault(s, Order::sequential, true, false); });
  add("region/parts/random", [](State& s) { region_fault_parts(s, Order::random); });
  add("region/parts/sequential", [](State& s) { region_fault_parts(s, Order::sequential); });
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  cow_bench::register_all();
  return cow_bench::run_google_benchmarks(argc, argv, 2 * cow_bench::gib);
}
