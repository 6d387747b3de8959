// Programs whose whole heap is copied every few milliseconds: Lua, SQLite and a std::pmr pool under
// four threads, each with its heap in a region and snapshots of it, and with the same heap in plain
// memory and fork() at the same times, the child ending at once. What counts is how much longer the
// program takes than without either. Every run is a process of its own, and they take turns.

#include <fmt/format.h>
#include <cow/cow.hpp>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <list>
#include <memory_resource>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "comparison.hpp"
#include "forking.hpp"
#include "heap_programs.hpp"
#include "measure/mechanisms/numbers_of_child.hpp"

namespace cow_bench {
namespace {

enum class Copy { none, fork, snapshot, quiescent_snapshot };

struct Variant {
  const char* name;
  Copy copy;
  std::uint64_t every_ns;
};

constexpr std::uint64_t ms = 1'000'000;
constexpr std::array variants = {
    Variant{"alone", Copy::none, 0},
    Variant{"snapshot() every 10 ms", Copy::snapshot, 10 * ms},
    Variant{"quiescent, every 10 ms", Copy::quiescent_snapshot, 10 * ms},
    Variant{"fork() every 10 ms", Copy::fork, 10 * ms},
    Variant{"snapshot() every 1 ms", Copy::snapshot, ms},
    Variant{"quiescent, every 1 ms", Copy::quiescent_snapshot, ms},
    Variant{"fork() every 1 ms", Copy::fork, ms},
};

/// The memory of one run's heap, and what is done to it every few milliseconds.
class CopiedHeap {
 public:
  explicit CopiedHeap(const Variant& variant) : variant_(variant) {
    if (variant.copy == Copy::snapshot || variant.copy == Copy::quiescent_snapshot) {
      region_ = cow::Region::create(heap_bytes);
      return;
    }
    plain_ = static_cast<std::byte*>(
        ::mmap(nullptr, heap_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (plain_ == MAP_FAILED) throw std::runtime_error("no memory for a heap");
  }

  [[nodiscard]] std::span<std::byte> memory() {
    return region_ ? region_->bytes() : std::span{plain_, heap_bytes};
  }

  /// Copies if it is time to.
  void tick() {
    if (variant_.copy == Copy::none || now_ns() < next_ns_) return;
    copy();
    next_ns_ = now_ns() + variant_.every_ns;
  }

 private:
  void copy() {
    if (variant_.copy == Copy::fork) {
      static_cast<void>(time_fork());
      return;
    }
    last_ = region_->snapshot(variant_.copy == Copy::quiescent_snapshot
                                  ? cow::SnapshotMode::quiescent
                                  : cow::SnapshotMode::concurrent);
  }

  Variant variant_;
  std::optional<cow::Region> region_;
  std::byte* plain_ = nullptr;
  std::optional<cow::Snapshot> last_;
  std::uint64_t next_ns_ = 0;
};

/// Nanoseconds for one run, in a process of its own.
double time_run(const HeapProgram& program, const Variant& variant) {
  const auto run = [&](std::span<double> result) {
    CopiedHeap heap(variant);
    result[0] = program.run(heap.memory(), [&] { heap.tick(); });
  };
  return cow::measure::numbers_of_child(1, run).front();
}

void measure(const HeapProgram& program) {
  std::array<Samples, variants.size()> times;
  for (std::size_t round = 0; round <= rounds(5); ++round) {
    for (std::size_t i = 0; i < variants.size(); ++i) {
      // Other threads store meanwhile: nobody could promise that they do not.
      const bool possible = !program.has_threads || variants[i].copy != Copy::quiescent_snapshot;
      if (!possible) continue;
      const double ns = time_run(program, variants[i]);
      if (round > 0) times[i].add(ns);  // the first one is a rehearsal
    }
  }
  fmt::print("| {} |", program.name);
  for (const Samples& of : times) {
    if (of.size() == 0) {
      fmt::print(" |");
    } else {
      fmt::print(" {:.2f} |", of.median() / times[0].median());
    }
  }
  fmt::print(" {:.0f} ms |\n", times[0].median() / 1e6);
  std::fflush(stdout);
}

int run() {
  std::puts("How many times as long a program takes whose heap is copied while it runs:\n");
  std::string head = "| heap of |";
  std::string rule = "|---|";
  for (const Variant& variant : variants) {
    head += std::string(" ") + variant.name + " |";
    rule += "---|";
  }
  std::puts((head + " alone |\n" + rule + "---|").c_str());
  for (const HeapProgram& program : heap_programs()) measure(program);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace cow_bench

int main() {
  try {
    return cow_bench::run();
  } catch (const std::exception& error) {
    std::cerr << "heaps_bench: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
