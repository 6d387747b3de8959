#include "session.hpp"

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "machine.hpp"

namespace cow_bench {

bool quick() {
  const char* value = std::getenv("COW_BENCH_QUICK");
  return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

void warm_up(std::size_t peak_bytes) {
  if (quick()) {
    return;
  }
  const std::size_t bytes = std::min(peak_bytes, available_bytes() / 4 * 3) / mib * mib;
  if (bytes == 0) {
    return;
  }
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return;  // a warm-up that is refused makes the first figures slower, nothing worse
  }
  // With huge pages the kernel clears, and so touches, 2 MiB for each fault.
  ::madvise(memory, bytes, MADV_HUGEPAGE);
  auto* first = static_cast<std::byte*>(memory);
  for (std::size_t at = 0; at < bytes; at += host_page_bytes()) {
    *static_cast<volatile std::byte*>(first + at) = std::byte{1};
  }
  ::munmap(memory, bytes);
}

int run_google_benchmarks(int argc, char** argv, std::size_t peak_bytes) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return EXIT_FAILURE;
  }
  for (const auto& [key, value] : describe_machine()) {
    benchmark::AddCustomContext(key, value);
  }
#if defined(NDEBUG)
  // It says so whenever the library itself has assertions, as Debian's package does.
  benchmark::AddCustomContext("a warning 'built as DEBUG'",
                              "is about Google Benchmark, whose package has its assertions. libcow "
                              "and these loops are built "
                              "without, and none of that library's code runs in what is timed");
#endif
  if (quick()) {
    benchmark::AddCustomContext("note", "COW_BENCH_QUICK is set: these figures mean nothing");
  }
  warm_up(peak_bytes);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return EXIT_SUCCESS;
}

}  // namespace cow_bench
