#include "measure/experiments/rounds.hpp"

#include "measure/mechanisms/mapping.hpp"

namespace cow::measure {

namespace {

Turn turns_of(const std::shared_ptr<Memory>& memory, const RoundPages& round, TimeRound time) {
  for (std::uint64_t i = 0; i < rounds_to_settle(round.stores); ++i) {
    static_cast<void>(time(*memory, round, settling_rounds + i));
  }
  return [=](std::uint64_t turn) { return time(*memory, round, turn); };
}

}  // namespace

std::vector<Comparison> comparisons_of_rounds(
    const Scale& scale, const std::string& sample,
    std::vector<Side> (*sides)(const MemoryOptions& options, const TurnOf& turn), TimeRound time) {
  const std::size_t bytes = scale.pick(4 * mib, 64 * mib, 256 * mib);
  std::vector<Comparison> all;
  for (const RoundPages& round : every_round(scale, bytes / host_page_bytes())) {
    all.push_back({.workload = words_of(round, bytes),
                   .parameters = parameters_of(round, bytes),
                   .sample = sample,
                   .against = "fork",
                   .sides = sides({.bytes = bytes},
                                  [=](const std::shared_ptr<Memory>& memory) {
                                    return turns_of(memory, round, time);
                                  }),
                   .memory_bytes = memory_of_a_side(bytes)});
  }
  return all;
}

}  // namespace cow::measure
