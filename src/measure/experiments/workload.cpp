#include "measure/experiments/workload.hpp"

#include <algorithm>

#include "measure/mechanisms/mapping.hpp"
#include "measure/quantity.hpp"

namespace cow::measure {

std::size_t memory_of_a_side(std::size_t bytes) { return 2 * bytes + bytes / 128 + 8 * mib; }

TurnResult turn_of(double ns, Memory& memory, std::optional<std::uint64_t> faults_before) {
  TurnResult result{.samples = {ns}, .parts = {}, .counts = {}};
  const std::optional<std::uint64_t> faults = memory.faults_answered();
  if (faults && faults_before) {
    result.counts.emplace_back("faults answered", static_cast<double>(*faults - *faults_before));
  }
  return result;
}

std::uint64_t rounds_to_settle(std::size_t stores) {
  return std::clamp<std::uint64_t>(2000 / stores, 1, 20);
}

std::vector<RoundPages> every_round(const Scale& scale, std::size_t pages) {
  std::vector<RoundPages> rounds;
  for (const bool are_same : {false, true}) {
    for (const std::size_t stores : {10U, 100U, 1'000U, 10'000U}) {
      const bool is_usual = !are_same || stores == 1'000;
      if (stores <= pages && (scale.is_full || is_usual)) {
        rounds.push_back({.stores = stores, .are_same_every_round = are_same});
      }
    }
  }
  return rounds;
}

std::string words_of(const RoundPages& round, std::size_t bytes) {
  return with_commas(round.stores) + " random pages of " + bytes_text(bytes) +
         (round.are_same_every_round ? ", the same in every round" : ", others in every round");
}

nlohmann::ordered_json parameters_of(const RoundPages& round, std::size_t bytes) {
  return {{"bytes", bytes},
          {"pages", bytes / host_page_bytes()},
          {"stores", round.stores},
          {"pattern", "random"},
          {"same_pages", round.are_same_every_round}};
}

}  // namespace cow::measure
