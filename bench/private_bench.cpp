// Private pages are ordinary memory: the same work over a region with no fault left, over the same
// after it was cloned and written again from end to end, and over plain memory.

#include <benchmark/benchmark.h>
#include <cow/cow.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

#include "plain_memory.hpp"
#include "session.hpp"
#include "stores.hpp"
#include "throughput.hpp"

namespace cow_bench {
namespace {

enum class Work { write_stream, read_stream, update_randomly };

struct NamedWork {
  const char* name;
  Work work;
};

constexpr NamedWork every_work[] = {{"write_stream", Work::write_stream},
                                    {"read_stream", Work::read_stream},
                                    {"update_randomly", Work::update_randomly}};

std::size_t memory_bytes() { return full_or_quick(256 * mib, 4 * mib); }

void run(benchmark::State& state, Work work, std::byte* first) {
  const std::size_t bytes = memory_bytes();
  const std::size_t updates = bytes / 64;
  std::uint64_t value = 0;
  for (auto _ : state) {
    ++value;
    switch (work) {
      case Work::write_stream: write_stream(first, bytes, value); break;
      case Work::read_stream: benchmark::DoNotOptimize(read_stream(first, bytes)); break;
      case Work::update_randomly: update_randomly(first, bytes, updates, value); break;
    }
    benchmark::ClobberMemory();
  }
  if (work == Work::update_randomly) {
    state.SetItemsProcessed(static_cast<std::int64_t>(updates) * state.iterations());
  } else {
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
  }
}

void plain(benchmark::State& state, Work work) {
  run(state, work, PlainMemory::anonymous(memory_bytes()).data());
}

/// Memory of the same kind as a region's, mapped by hand: what a shared file mapping costs.
void shared_memfd(benchmark::State& state, Work work) {
  const FilledMemfd file(memory_bytes());
  const PlainMemory memory = file.map_shared();
  load_all(memory.pages());
  run(state, work, memory.data());
}

void private_pages(benchmark::State& state, Work work) {
  run(state, work, written_region(memory_bytes()).data());
}

/// A clone that was overwritten at random pages, until all of them were its own.
void private_pages_of_clone(benchmark::State& state, Work work) {
  const cow::Region region = written_region(memory_bytes());
  cow::Region clone = region.clone();
  const Pages pages = pages_of(clone);
  time_stores(pages, choose_pages(pages.count, pages.count, Order::random, 1), 2);
  run(state, work, clone.data());
}

template <typename Function>
void add(const NamedWork& work, const std::string& memory, Function function) {
  benchmark::RegisterBenchmark((work.name + ("/" + memory)).c_str(), [=](benchmark::State& state) {
    function(state, work.work);
  })->Unit(benchmark::kMillisecond);
}

void register_all() {
  for (const NamedWork& work : every_work) {
    add(work, "plain", plain);
    add(work, "shared_memfd", shared_memfd);
    add(work, "region", private_pages);
    add(work, "region_overwritten_clone", private_pages_of_clone);
  }
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  cow_bench::register_all();
  return cow_bench::run_google_benchmarks(argc, argv, 2 * cow_bench::gib);
}
