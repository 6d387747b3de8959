// A program that stores to some pages and goes back to where it was, again and again.

#include "measure/experiments.hpp"
#include "measure/experiments/sides.hpp"
#include "measure/experiments/workload.hpp"
#include "measure/host/clock.hpp"
#include "measure/mechanisms/mapping.hpp"

namespace cow::measure {

namespace {

TurnResult time_round(Memory& memory, const RoundPages& round, std::uint64_t number) {
  const std::size_t page_bytes = host_page_bytes();
  const PageOrder order = round.of(memory.bytes().size() / page_bytes, number);
  const std::optional<std::uint64_t> faults_before = memory.faults_answered();
  const std::uint64_t start = now_ns();
  memory.try_out(
      [&](std::span<std::byte> bytes) { store_to_each(bytes, order, page_bytes, number); });
  return turn_of(elapsed_ns(start), memory, faults_before);
}

Turn rounds_of(const std::shared_ptr<Memory>& memory, const RoundPages& round) {
  for (std::uint64_t i = 0; i < rounds_to_settle(round.stores); ++i) {
    static_cast<void>(time_round(*memory, round, settling_rounds + i));
  }
  return [memory, round](std::uint64_t turn) { return time_round(*memory, round, turn); };
}

}  // namespace

std::vector<Comparison> rollback_rounds(const Scale& scale) {
  const std::size_t bytes = scale.pick(4 * mib, 64 * mib, 256 * mib);
  std::vector<Comparison> all;
  for (const RoundPages& round : every_round(scale, bytes / host_page_bytes())) {
    all.push_back({.workload = words_of(round, bytes),
                   .parameters = parameters_of(round, bytes),
                   .sample = "the stores, and the bytes as they were before them",
                   .against = "fork",
                   .sides = sides_that_go_back({.bytes = bytes},
                                               [round](const std::shared_ptr<Memory>& memory) {
                                                 return rounds_of(memory, round);
                                               }),
                   .memory_bytes = memory_of_a_side(bytes)});
  }
  return all;
}

}  // namespace cow::measure
