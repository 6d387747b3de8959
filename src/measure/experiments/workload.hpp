#pragma once

// What the experiments over clones, snapshots and rollback have in common: one turn, timed.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "measure/experiment.hpp"
#include "measure/experiments/stores.hpp"
#include "measure/mechanisms/mechanism.hpp"

namespace cow::measure {

/// The most that one side of `bytes` needs: as much again for copies, and for its page tables.
[[nodiscard]] std::size_t memory_of_a_side(std::size_t bytes);

/// Which pages a round stores to: the same on every side of a comparison.
struct RoundPages {
  std::size_t stores = 0;
  bool are_same_every_round = false;
  /// Pages of round `round` among `pages`.
  [[nodiscard]] PageOrder of(std::size_t pages, std::uint64_t round) const {
    return distinct_pages(pages, stores, are_same_every_round ? 0 : round);
  }
};

/// One sample, and the faults that the mechanism answered since `faults_before`, where it knows.
[[nodiscard]] TurnResult turn_of(double ns, Memory& memory,
                                 std::optional<std::uint64_t> faults_before);

/// Rounds that ran before the first turn, of the numbers from `settling_rounds` on: a loop that has
/// run for a while is measured, not its first rounds.
inline constexpr std::uint64_t settling_rounds = 1'000'000;
[[nodiscard]] std::uint64_t rounds_to_settle(std::size_t stores);

/// Numbers of stores that rounds are measured with, and whether to the same pages.
[[nodiscard]] std::vector<RoundPages> every_round(const Scale& scale, std::size_t pages);

/// "1,000 random pages of 64 MiB, others in every round"
[[nodiscard]] std::string words_of(const RoundPages& round, std::size_t bytes);
[[nodiscard]] nlohmann::ordered_json parameters_of(const RoundPages& round, std::size_t bytes);

}  // namespace cow::measure
