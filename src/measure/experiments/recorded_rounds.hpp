#pragma once

// The rounds of a recorded program, done again to any memory.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "measure/mechanisms/mechanism.hpp"
#include "measure/trace/page_writes.hpp"

namespace cow::measure {

/// One word, `value`, at each of the offsets: at the address that was stored to, or up to seven
/// bytes before it. Precondition: the bytes are whole words and have all offsets.
void store_at_each(std::span<std::byte> bytes, std::span<const std::size_t> offsets_bytes,
                   std::uint64_t value);

/// Of rounds that are done `each_turn` at a time, in order and from the beginning again after the
/// last: those of a turn. Turn 1 is the first; turn 0, the rehearsal, does what turn 1 does.
/// Precondition: neither is empty.
[[nodiscard]] std::span<const RecordedRound> rounds_of_turn(std::span<const RecordedRound> rounds,
                                                            std::size_t each_turn,
                                                            std::uint64_t turn);

using MakeMemory = std::function<std::unique_ptr<Memory>()>;

/// Rounds that are done turn after turn. Whenever they start over, memory is made anew, and nothing
/// is left of the last one: a program begins with pages that nobody has learnt anything about.
class Replay {
 public:
  /// Precondition: as for rounds_of_turn; `rounds` outlive it.
  Replay(std::span<const RecordedRound> rounds, std::size_t each_turn, MakeMemory make)
      : rounds_(rounds), each_turn_(each_turn), make_(std::move(make)) {}

  [[nodiscard]] std::span<const RecordedRound> rounds_of(std::uint64_t turn) const {
    return rounds_of_turn(rounds_, each_turn_, turn);
  }
  /// The memory for the rounds of a turn. Turns come in order, each once.
  [[nodiscard]] Memory& memory_for(std::uint64_t turn);

 private:
  std::span<const RecordedRound> rounds_;
  std::size_t each_turn_;
  MakeMemory make_;
  std::unique_ptr<Memory> memory_;
};

struct RoundTimes {
  double begin_ns = 0;
  double stores_ns = 0;
  double end_ns = 0;
};

/// Each of the rounds as begin(), its stores, end(); all times together.
RoundTimes keep_rounds(Memory& memory, std::span<const RecordedRound> rounds, std::uint64_t value);

/// Each of them with try_out(); how long all took.
double take_back_rounds(Memory& memory, std::span<const RecordedRound> rounds, std::uint64_t value);

}  // namespace cow::measure
