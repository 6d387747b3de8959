// What it costs to have the bytes of a moment again, before anything is stored: by size.

#include "measure/experiments.hpp"
#include "measure/experiments/sides.hpp"
#include "measure/experiments/workload.hpp"
#include "measure/host/clock.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/quantity.hpp"

namespace cow::measure {

namespace {

TurnResult time_begin(Memory& memory) {
  const std::uint64_t start = now_ns();
  memory.begin();
  const double ns = elapsed_ns(start);
  memory.end();
  return {.samples = {ns}, .parts = {}, .counts = {}};
}

/// Nothing is stored between two of them: what the first one protected is protected still.
Turn again_and_again(const std::shared_ptr<Memory>& memory) {
  return [memory](std::uint64_t) { return time_begin(*memory); };
}

/// Memory of its own for every turn. The memory that the side was prepared with goes.
Turn of_new_memory(const Mechanism& mechanism, const MemoryOptions& options) {
  return [&mechanism, options](std::uint64_t) { return time_begin(*mechanism.make(options)); };
}

Side side_of(const Mechanism& mechanism, const MemoryOptions& options, bool is_first) {
  const TurnOf turn = [&mechanism, options, is_first](const std::shared_ptr<Memory>& memory) {
    return is_first ? of_new_memory(mechanism, options) : again_and_again(memory);
  };
  Side side = side_of(mechanism, options, turn);
  if (options.is_cloned) side.mechanism += "-clone";
  return side;
}

Comparison comparison_of(std::size_t bytes, bool is_first) {
  Comparison comparison{
      .workload = bytes_text(bytes) + (is_first ? ", the first time" : ", nothing stored since"),
      .parameters = {{"bytes", bytes},
                     {"pages", bytes / host_page_bytes()},
                     {"first_time", is_first}},
      .sample = "begin() alone: a snapshot, a clone, a fork, a protection",
      .against = "eager",
      .sides = {},
      .memory_bytes = memory_of_a_side(bytes)};
  for (const Mechanism& mechanism : mechanisms()) {
    comparison.sides.push_back(side_of(mechanism, {.bytes = bytes}, is_first));
    if (mechanism.name == "handler" || mechanism.name == "kernel") {
      comparison.sides.push_back(side_of(mechanism, {.bytes = bytes, .is_cloned = true}, is_first));
    }
  }
  return comparison;
}

}  // namespace

std::vector<Comparison> clones_by_size(const Scale& scale) {
  using Sizes = std::vector<std::size_t>;
  const Sizes quick = {mib};
  std::vector<Comparison> all;
  for (const std::size_t bytes :
       scale.pick<Sizes>(quick, {mib, 4 * mib, 16 * mib, 64 * mib},
                         {mib, 16 * mib, 64 * mib, 256 * mib, gib, 4 * gib})) {
    all.push_back(comparison_of(bytes, false));
  }
  for (const std::size_t bytes : scale.pick<Sizes>(quick, {mib, 4 * mib, 16 * mib},
                                                   {mib, 4 * mib, 16 * mib, 64 * mib, 256 * mib})) {
    all.push_back(comparison_of(bytes, true));
  }
  return all;
}

}  // namespace cow::measure
