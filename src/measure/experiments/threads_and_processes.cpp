// Stores of several threads to one memory, and of several processes, each to its copy of one.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "measure/experiments.hpp"
#include "measure/experiments/part_of.hpp"
#include "measure/experiments/sides.hpp"
#include "measure/experiments/stores.hpp"
#include "measure/host/crowd.hpp"
#include "measure/host/pinning.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "measure/quantity.hpp"

namespace cow::measure {

namespace {

struct Crowd {
  std::size_t workers = 1;
  std::size_t pages = 0;
  std::size_t stores = 0;

  [[nodiscard]] PageOrder order(std::uint64_t turn) const {
    return distinct_pages(pages, stores, turn);
  }
};

/// `memory` outlives it.
Work stores_of(const Crowd& crowd, const PageOrder& order, std::span<std::byte> bytes,
               std::uint64_t turn) {
  return [crowd, &order, bytes, turn](std::size_t worker) {
    store_to_each(bytes, part_of(order, worker, crowd.workers), host_page_bytes(), turn + 1);
  };
}

double each(const Crowd& crowd, double ns) { return ns / static_cast<double>(crowd.stores); }

TurnOf by_threads(const Crowd& crowd) {
  return [crowd](const std::shared_ptr<Memory>& memory) -> Turn {
    return [crowd, memory](std::uint64_t turn) {
      const PageOrder order = crowd.order(turn);
      memory->begin();
      const double ns = time_threads(crowd.workers, stores_of(crowd, order, memory->bytes(), turn));
      memory->end();
      return TurnResult{.samples = {each(crowd, ns)}, .parts = {}, .counts = {}};
    };
  };
}

/// Every child of fork() has a copy of the memory, and all that is stored to goes with it.
TurnOf by_processes(const Crowd& crowd) {
  return [crowd](const std::shared_ptr<Memory>& memory) -> Turn {
    return [crowd, memory](std::uint64_t turn) {
      const PageOrder order = crowd.order(turn);
      const double ns =
          time_processes(crowd.workers, stores_of(crowd, order, memory->bytes(), turn));
      return TurnResult{.samples = {each(crowd, ns)}, .parts = {}, .counts = {}};
    };
  };
}

std::set<std::size_t> crowds(const Scale& scale) {
  const auto processors = static_cast<std::size_t>(std::max(2, allowed_processors()));
  std::set<std::size_t> counts = {1, 2};
  if (!scale.is_quick) counts.insert(processors);
  if (scale.is_full) counts.insert(2 * processors);
  return counts;
}

}  // namespace

std::vector<Comparison> threads_and_processes(const Scale& scale) {
  const std::size_t bytes = scale.pick(4 * mib, 64 * mib, 256 * mib);
  const std::size_t pages = bytes / host_page_bytes();
  const std::size_t stores = std::min(pages, scale.pick<std::size_t>(128, 2'048, 8'192));
  std::vector<Comparison> comparisons;
  for (const std::size_t workers : crowds(scale)) {
    const Crowd crowd{.workers = workers, .pages = pages, .stores = stores};
    const MemoryOptions options{.bytes = bytes};
    Comparison comparison{.workload = fmt::format("{} random pages of {}, {} at once",
                                                  with_commas(stores), bytes_text(bytes), workers),
                          .parameters = {{"bytes", bytes},
                                         {"pages", pages},
                                         {"pattern", name_of(Pattern::random)},
                                         {"stores", stores},
                                         {"threads", workers},
                                         {"processes", 1}},
                          .sample = "first stores to pages, by all together, per store",
                          .against = "processes",
                          .sides = sides_of_all(options, by_threads(crowd)),
                          .has_company = workers > 1,
                          .memory_bytes = 2 * bytes};
    // Its copy is made by begin(), which is in no sample: what is left are stores, and nothing
    // else.
    std::erase_if(comparison.sides, [](const Side& side) { return side.mechanism == "eager"; });
    Side processes = side_of(mechanism("fork"), options, by_processes(crowd));
    processes.mechanism = "processes";
    processes.parameters = {{"threads", 1}, {"processes", workers}};
    comparison.sides.push_back(std::move(processes));
    comparisons.push_back(std::move(comparison));
  }
  return comparisons;
}

}  // namespace cow::measure
