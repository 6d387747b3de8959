// A program that takes a snapshot again and again, and stores to some pages between them.

#include "measure/experiments.hpp"
#include "measure/experiments/rounds.hpp"
#include "measure/host/clock.hpp"
#include "measure/mechanisms/mapping.hpp"

namespace cow::measure {

namespace {

TurnResult time_round(Memory& memory, const RoundPages& round, std::uint64_t number) {
  const std::size_t page_bytes = host_page_bytes();
  const PageOrder order = round.of(memory.bytes().size() / page_bytes, number);
  const std::optional<std::uint64_t> faults_before = memory.faults_answered();
  const std::uint64_t start = now_ns();
  memory.begin();
  store_to_each(memory.bytes(), order, page_bytes, number);
  memory.end();
  return turn_of(elapsed_ns(start), memory, faults_before);
}

}  // namespace

std::vector<Comparison> snapshot_rounds(const Scale& scale) {
  return comparisons_of_rounds(scale, "a snapshot, the stores, the end of the snapshot",
                               sides_that_keep, time_round);
}

}  // namespace cow::measure
