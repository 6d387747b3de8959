// A program that stores to some pages and goes back to where it was, again and again.

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
  memory.try_out(
      [&](std::span<std::byte> bytes) { store_to_each(bytes, order, page_bytes, number); });
  return turn_of(elapsed_ns(start), memory, faults_before);
}

}  // namespace

std::vector<Comparison> rollback_rounds(const Scale& scale) {
  return comparisons_of_rounds(scale, "the stores, and the bytes as they were before them",
                               sides_that_go_back, time_round);
}

}  // namespace cow::measure
