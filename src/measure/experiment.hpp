#pragma once

// What the engine measures: experiments, of comparisons, of sides that take turns.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "measure/result.hpp"

namespace cow::measure {

/// Thrown while a side is prepared: it cannot be had here. The row is skipped, with this sentence.
class Unavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What a turn, or all of them, found.
struct TurnResult {
  std::vector<double> samples;                         ///< usually one
  std::vector<NamedSamples> parts;                     ///< as in Row
  std::vector<std::pair<std::string, double>> counts;  ///< the last turn's are kept
};

/// One turn of a side. The engine counts from 0; turn 0 is a rehearsal that no sample comes from.
/// Sides of one comparison do the same in the turn of the same number: same pages, same order.
using Turn = std::function<TurnResult(std::uint64_t turn)>;

/// What one mechanism does in a comparison.
struct Side {
  std::string mechanism;
  /// Called in a process of its own, which has this side's memory and nothing else's: fork() copies
  /// page tables of all there is, and handlers of signals do not meet. Throws Unavailable where it
  /// cannot be had; anything else it throws, and the death of its process, fail the row.
  std::function<Turn()> prepare;
  /// What is other than the comparison says: the row has these in place of those.
  nlohmann::ordered_json parameters = nlohmann::ordered_json::object();
};

/// Sides that take turns in random order, under one workload.
struct Comparison {
  std::string workload;
  nlohmann::ordered_json parameters = nlohmann::ordered_json::object();
  std::string unit = "ns";
  std::string sample;   ///< what one sample is
  std::string against;  ///< the mechanism that the others are compared with
  std::optional<double> at_most{};
  std::vector<Side> sides;
  bool has_company = false;  ///< threads or processes of a side run at the same time: not pinned
  std::size_t memory_bytes = 0;         ///< that one side needs; too much is a skipped row
  std::size_t least_turns = 5;          ///< however long they take, unless the run's time is over
  std::size_t most_turns = 1000;        ///< however short they are
  std::vector<std::string> warnings{};  ///< of every row: sentences
  std::vector<std::pair<std::string, std::string>> counters_absent{};  ///< as in Row
};

/// How large and how long.
struct Scale {
  bool is_full = false;
  bool is_quick = false;   ///< COW_BENCH_QUICK=1: to see that it runs
  std::string trace_file;  ///< --trace; empty if there is none
  std::string file;        ///< to open, in `file`; empty: one that most systems have

  template <typename T>
  [[nodiscard]] T pick(T quick, T usual, T full) const {
    return is_quick ? quick : is_full ? full : usual;
  }
};

/// What --list prints and --only takes.
struct Experiment {
  std::string_view name;
  std::string_view question;  ///< that it answers, as one line
  std::vector<Comparison> (*comparisons)(const Scale& scale);
};

}  // namespace cow::measure
