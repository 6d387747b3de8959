#include "measure/experiments/recorded_rounds.hpp"

#include <cow/stats.hpp>

#include <algorithm>

#include "measure/host/clock.hpp"

namespace cow::measure {

void store_at_each(std::span<std::byte> bytes, std::span<const std::size_t> offsets_bytes,
                   std::uint64_t value) {
  for (const std::size_t offset : offsets_bytes) {
    auto* word = reinterpret_cast<std::uint64_t*>(&bytes[offset - offset % sizeof value]);
    *static_cast<volatile std::uint64_t*>(word) = value;
  }
}

std::span<const RecordedRound> rounds_of_turn(std::span<const RecordedRound> rounds,
                                              std::size_t each_turn, std::uint64_t turn) {
  const std::size_t stretches = (rounds.size() + each_turn - 1) / each_turn;
  const std::uint64_t stretch = turn == 0 ? 0 : (turn - 1) % stretches;
  const auto first = static_cast<std::size_t>(stretch) * each_turn;
  return rounds.subspan(first, std::min(each_turn, rounds.size() - first));
}

Memory& Replay::memory_for(std::uint64_t turn) {
  const bool starts_over = rounds_of(turn).data() == rounds_.data();
  if (memory_ == nullptr || starts_over) {
    memory_.reset();  // first: a process has one of them
    cow::trim();
    memory_ = make_();
  }
  return *memory_;
}

RoundTimes keep_rounds(Memory& memory, std::span<const RecordedRound> rounds, std::uint64_t value) {
  RoundTimes times;
  std::uint64_t before = now_ns();
  const auto take_time = [&before](double& time) {
    const std::uint64_t now = now_ns();
    time += static_cast<double>(now - before);
    before = now;
  };
  for (const RecordedRound& round : rounds) {
    memory.begin();
    take_time(times.begin_ns);
    store_at_each(memory.bytes(), round.offsets_bytes, value);
    take_time(times.stores_ns);
    memory.end();
    take_time(times.end_ns);
  }
  return times;
}

double take_back_rounds(Memory& memory, std::span<const RecordedRound> rounds,
                        std::uint64_t value) {
  const std::uint64_t start = now_ns();
  for (const RecordedRound& round : rounds) {
    memory.try_out(
        [&](std::span<std::byte> bytes) { store_at_each(bytes, round.offsets_bytes, value); });
  }
  return elapsed_ns(start);
}

}  // namespace cow::measure
