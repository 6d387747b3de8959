// A recorded program's page writes under each mechanism: which would be the best for that program.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "measure/experiments.hpp"
#include "measure/experiments/recorded_rounds.hpp"
#include "measure/experiments/sides.hpp"
#include "measure/experiments/stores.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/quantity.hpp"
#include "measure/trace/page_writes.hpp"
#include "measure/trace/trace_file.hpp"

namespace cow::measure {

namespace {

std::uint64_t stores_of(std::span<const RecordedRound> rounds) {
  std::uint64_t all = 0;
  for (const RecordedRound& round : rounds) all += round.offsets_bytes.size();
  return all;
}

/// Rounds of one kind, and how many of them a turn has.
struct Stretches {
  std::vector<RecordedRound> rounds;
  std::size_t each_turn = 1;

  [[nodiscard]] std::uint64_t stores() const { return stores_of(rounds); }
};

using SharedStretches = std::shared_ptr<const Stretches>;

/// As many rounds as an eager copy does in a part of a second, at least one.
SharedStretches stretches_of(const PageWrites& writes, bool is_taken_back, const Scale& scale) {
  const std::size_t most_bytes = scale.pick(8 * mib, 256 * mib, gib);
  const auto most_stores = scale.pick<std::size_t>(500, 10'000, 40'000);
  Stretches all;
  std::ranges::copy_if(writes.rounds, std::back_inserter(all.rounds),
                       [&](const auto& round) { return round.is_taken_back == is_taken_back; });
  const std::size_t by_bytes = most_bytes / std::max<std::size_t>(1, writes.bytes);
  const std::size_t by_stores =
      most_stores * all.rounds.size() / std::max<std::size_t>(1, all.stores());
  all.each_turn = std::clamp<std::size_t>(std::min(by_bytes, by_stores), 1,
                                          std::max<std::size_t>(1, all.rounds.size()));
  return std::make_shared<const Stretches>(std::move(all));
}

/// How a turn's rounds are done and timed.
using DoRounds = TurnResult (*)(Memory& memory, std::span<const RecordedRound> rounds,
                                std::uint64_t value);

TurnResult time_kept(Memory& memory, std::span<const RecordedRound> rounds, std::uint64_t value) {
  const RoundTimes times = keep_rounds(memory, rounds, value);
  const auto each = [&](double ns) {
    return std::vector<double>{ns / static_cast<double>(rounds.size())};
  };
  return {.samples = each(times.begin_ns + times.stores_ns + times.end_ns),
          .parts = {{"begin", each(times.begin_ns)},
                    {"stores", each(times.stores_ns)},
                    {"end", each(times.end_ns)}},
          .counts = {}};
}

TurnResult time_taken_back(Memory& memory, std::span<const RecordedRound> rounds,
                           std::uint64_t value) {
  const double ns = take_back_rounds(memory, rounds, value);
  return {.samples = {ns / static_cast<double>(rounds.size())}, .parts = {}, .counts = {}};
}

/// The memory that a side was prepared with has shown that it can be had, and goes.
TurnOf turns_of(const Mechanism& mechanism, const MemoryOptions& options,
                const SharedStretches& stretches, DoRounds do_rounds) {
  return [&mechanism, options, stretches, do_rounds](const std::shared_ptr<Memory>&) -> Turn {
    const auto replay =
        std::make_shared<Replay>(stretches->rounds, stretches->each_turn,
                                 [&mechanism, options] { return mechanism.make(options); });
    return [stretches, replay, do_rounds](std::uint64_t turn) {
      const auto rounds = replay->rounds_of(turn);
      Memory& memory = replay->memory_for(turn);
      const std::optional<std::uint64_t> before = memory.faults_answered();
      TurnResult result = do_rounds(memory, rounds, turn + 1);
      const std::optional<std::uint64_t> after = memory.faults_answered();
      if (before && after) {
        result.counts.emplace_back("faults answered", static_cast<double>(*after - *before));
      }
      result.counts.emplace_back("stores", static_cast<double>(stores_of(rounds)));
      return result;
    };
  };
}

/// All mechanisms, and the handler with a fault for each store, however the program was recorded.
std::vector<Side> sides_of(MemoryOptions options, const SharedStretches& stretches,
                           bool is_taken_back) {
  const auto side = [&](const Mechanism& mechanism) {
    const TurnOf turns =
        turns_of(mechanism, options, stretches, is_taken_back ? time_taken_back : time_kept);
    return is_taken_back ? side_that_goes_back(mechanism, options, turns)
                         : side_of(mechanism, options, turns);
  };
  std::vector<Side> sides;
  for (const Mechanism& mechanism : mechanisms()) sides.push_back(side(mechanism));
  options.max_window_pages = 1;
  sides.push_back(side(mechanism("handler")));
  sides.back().mechanism = "handler, no windows";
  sides.back().parameters = {{"max_window_pages", 1}};
  return sides;
}

/// What advice has to say beside its answer.
void add_unseen(const PageWrites& writes, nlohmann::ordered_json& parameters) {
  if (writes.along.copied_along > 0) {
    parameters["pages_copied"] = writes.along.copied;
    parameters["pages_copied_along"] = writes.along.copied_along;
  }
  if (writes.unseen_families > 0) {
    parameters["unseen_families"] = writes.unseen_families;
    parameters["unseen_pages"] = writes.unseen_pages;
  }
}

Comparison comparison_of(const PageWrites& writes, const Stretches& stretches) {
  Comparison comparison;
  comparison.parameters = {{"program", writes.program},
                           {"process", writes.pid},
                           {"family", writes.family},
                           {"bytes", writes.bytes},
                           {"pages", writes.bytes / writes.page_bytes},
                           {"page_bytes", writes.page_bytes},
                           {"rounds", stretches.rounds.size()},
                           {"rounds_each_turn", stretches.each_turn},
                           {"stores", stretches.stores()},
                           {"stores_without_fault", writes.stores_without_fault},
                           {"stores_outside_rounds", writes.stores_outside},
                           {"stores_again", writes.stores_again}};
  add_unseen(writes, comparison.parameters);
  comparison.against = "handler";
  comparison.memory_bytes = 2 * writes.bytes;
  comparison.warnings = writes.warnings;
  return comparison;
}

/// What a mechanism is asked for: whole pages of this host, which may be larger.
MemoryOptions memory_for(const PageWrites& writes) {
  const std::size_t page = host_page_bytes();
  return {.bytes = (writes.bytes + page - 1) / page * page};
}

std::string rounds_text(const PageWrites& writes, const Stretches& stretches, const char* how) {
  return fmt::format("{}: {}{}, {} in all", writes.program,
                     counted(stretches.rounds.size(), "round"), how,
                     counted(stretches.stores(), "store"));
}

}  // namespace

std::vector<Comparison> recorded_trace(const Scale& scale) {
  if (scale.trace_file.empty()) return {};
  const PageWrites writes = page_writes(read_trace(scale.trace_file));
  std::vector<Comparison> comparisons;
  const SharedStretches kept = stretches_of(writes, false, scale);
  if (!kept->rounds.empty()) {
    Comparison comparison = comparison_of(writes, *kept);
    comparison.workload = rounds_text(writes, *kept, "");
    comparison.sample = "a round of the program: what it kept begins, the first stores, its end";
    comparison.sides = sides_of(memory_for(writes), kept, false);
    comparisons.push_back(std::move(comparison));
  }
  const SharedStretches taken_back = stretches_of(writes, true, scale);
  if (!taken_back->rounds.empty()) {
    Comparison comparison = comparison_of(writes, *taken_back);
    comparison.workload = rounds_text(writes, *taken_back, " taken back");
    comparison.sample = "a round of the program: the first stores, and back to the bytes of before";
    comparison.sides = sides_of(memory_for(writes), taken_back, true);
    comparisons.push_back(std::move(comparison));
  }
  return comparisons;
}

}  // namespace cow::measure
