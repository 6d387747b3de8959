// Granules from the host's page to 2 MiB: fewer faults, and more bytes for each of them.

#include <cow/region.hpp>
#include <cow/snapshot.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "measure/experiments.hpp"
#include "measure/experiments/sides.hpp"
#include "measure/experiments/stores.hpp"
#include "measure/host/clock.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "measure/quantity.hpp"

namespace cow::measure {

namespace {

using Stores = std::function<void(std::span<std::byte> bytes, std::uint64_t turn)>;

struct Workload {
  std::string name;
  nlohmann::ordered_json parameters;
  Stores stores;
};

std::vector<std::size_t> granule_sizes_bytes() {
  std::vector<std::size_t> sizes;
  for (std::size_t size = host_page_bytes(); size < 2 * mib; size *= 4) sizes.push_back(size);
  sizes.push_back(2 * mib);
  return sizes;
}

std::string with_granules(std::size_t granule_bytes) {
  return fmt::format("handler, {}", bytes_text(granule_bytes));
}

Workload random_stores(std::size_t bytes, std::size_t count) {
  const std::size_t pages = bytes / host_page_bytes();
  return {.name = fmt::format("{} random pages of {}", count, bytes_text(bytes)),
          .parameters = {{"bytes", bytes},
                         {"pages", pages},
                         {"pattern", name_of(Pattern::random)},
                         {"stores", count}},
          .stores = [pages, count](std::span<std::byte> memory, std::uint64_t turn) {
            store_to_each(memory, distinct_pages(pages, count, turn), host_page_bytes(), turn + 1);
          }};
}

Workload overwritten(std::size_t bytes) {
  const std::size_t pages = bytes / host_page_bytes();
  return {.name = fmt::format("all of {} overwritten in order", bytes_text(bytes)),
          .parameters = {{"bytes", bytes},
                         {"pages", pages},
                         {"pattern", name_of(Pattern::sequential)},
                         {"stores", pages}},
          .stores = [](std::span<std::byte> memory, std::uint64_t turn) {
            std::memset(memory.data(), static_cast<int>(turn % 256), memory.size());
          }};
}

TurnOf time_of_round(const Stores& stores) {
  return [stores](const std::shared_ptr<Memory>& memory) -> Turn {
    return [stores, memory](std::uint64_t turn) {
      const std::uint64_t start = now_ns();
      memory->begin();
      stores(memory->bytes(), turn);
      memory->end();
      return TurnResult{.samples = {elapsed_ns(start)}, .parts = {}, .counts = {}};
    };
  };
}

/// A region by itself, as it knows what it has copied.
Turn bytes_of_round(const MemoryOptions& options, const Stores& stores) {
  const auto region = std::make_shared<cow::Region>(cow::Region::create(
      options.bytes,
      {.granule_bytes = options.granule_bytes, .mechanism = cow::Mechanism::handler}));
  store_to_every_page(region->bytes());
  return [region, stores](std::uint64_t turn) {
    const std::uint64_t before = region->stats().pages_copied;
    const cow::Snapshot snapshot = region->snapshot();
    stores(region->bytes(), turn);
    const std::uint64_t copied = region->stats().pages_copied - before;
    return TurnResult{.samples = {static_cast<double>(copied * region->page_bytes())},
                      .parts = {},
                      .counts = {{"pages copied", static_cast<double>(copied)}}};
  };
}

Comparison comparison_of(const Workload& workload) {
  Comparison comparison;
  comparison.workload = workload.name;
  comparison.parameters = workload.parameters;
  comparison.against = with_granules(host_page_bytes());
  comparison.memory_bytes = 2 * workload.parameters.at("bytes").get<std::size_t>();
  return comparison;
}

Comparison times(const Workload& workload) {
  Comparison comparison = comparison_of(workload);
  comparison.sample = "a snapshot, the stores, its end";
  for (const std::size_t granule : granule_sizes_bytes()) {
    const MemoryOptions options{.bytes = workload.parameters.at("bytes"), .granule_bytes = granule};
    Side side = side_of(mechanism("handler"), options, time_of_round(workload.stores));
    side.mechanism = with_granules(granule);
    side.parameters = {{"granule_bytes", granule}};
    comparison.sides.push_back(std::move(side));
  }
  return comparison;
}

Comparison copied_bytes(const Workload& workload) {
  Comparison comparison = comparison_of(workload);
  comparison.workload += ", bytes copied";
  comparison.unit = "bytes";
  comparison.sample = "bytes copied between a snapshot and its end";
  comparison.most_turns = comparison.least_turns;
  for (const std::size_t granule : granule_sizes_bytes()) {
    const MemoryOptions options{.bytes = workload.parameters.at("bytes"), .granule_bytes = granule};
    const auto prepare = [options, stores = workload.stores] {
      if (const std::string why = mechanism("handler").why_not(); !why.empty()) {
        throw Unavailable(why);
      }
      return bytes_of_round(options, stores);
    };
    comparison.sides.push_back({.mechanism = with_granules(granule),
                                .prepare = prepare,
                                .parameters = {{"granule_bytes", granule}}});
  }
  return comparison;
}

}  // namespace

std::vector<Comparison> granules(const Scale& scale) {
  const std::size_t bytes = scale.pick(8 * mib, 64 * mib, 256 * mib);
  const auto stores = scale.pick<std::size_t>(10, 100, 100);
  std::vector<Comparison> comparisons;
  for (const Workload& workload : {random_stores(bytes, stores), overwritten(bytes)}) {
    comparisons.push_back(times(workload));
    comparisons.push_back(copied_bytes(workload));
  }
  return comparisons;
}

}  // namespace cow::measure
