#pragma once

// Turns of first stores, each timed by itself. docs/bench-workloads.md, "faults" and "anatomy",
// says the same in words: whoever changes one changes both.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "measure/experiment.hpp"
#include "measure/experiments/stores.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/timed_faults.hpp"

namespace cow::measure {

/// Turns are what is independent of one another, not the stores of one: so many, however long
/// they take.
inline constexpr std::size_t least_turns_of_stores = 6;

/// Stores of one turn: `timed` of them, and `counted` of others that nobody times.
struct FirstStores {
  std::size_t bytes = 0;
  std::size_t page_bytes = host_page_bytes();
  Pattern pattern = Pattern::random;
  std::size_t timed = 0;
  std::size_t counted = 0;
  std::size_t others = 0;         ///< threads that keep other processors busy meanwhile
  std::vector<int> processors{};  ///< that there are for all of them
  /// Every page of the turn is read before, by the storing thread and by one beside the others:
  /// processors know it, and have to forget it when something else is mapped over it.
  bool are_read_before = false;

  [[nodiscard]] std::size_t pages() const { return bytes / page_bytes; }
  [[nodiscard]] std::size_t of_a_turn() const { return timed + counted; }
};

/// Of all turns but the rehearsal: percentiles of stores say little where most are no faults.
class StoresSoFar {
 public:
  void add(const TurnResult& result, std::uint64_t faults, std::uint64_t turn);
  /// "share of stores that faulted" and "mean ns of a store".
  void add_counts_to(TurnResult& result) const;

 private:
  double stores_ = 0;
  double faults_ = 0;
  double ns_ = 0;
};

/// Those of `faults` and `anatomy`: random pages of memory that is large enough for the pieces of
/// some turns, however large the pages are.
[[nodiscard]] FirstStores first_stores(const Scale& scale,
                                       std::size_t page_bytes = host_page_bytes());

/// The pages of each turn: pieces of one order of all pages, one after the other, so that no page
/// comes again before all had their turn. (libcow copies beforehand what each round stores to.)
class PieceByPiece {
 public:
  explicit PieceByPiece(const FirstStores& stores);
  [[nodiscard]] std::span<const std::size_t> timed(std::uint64_t turn) const;
  [[nodiscard]] std::span<const std::size_t> counted(std::uint64_t turn) const;

 private:
  FirstStores stores_;
  PageOrder order_;
  std::size_t pieces_;
};

/// Stores `value` to each of `pages` between begin() and end(), each timed by itself: a sample a
/// store, and its parts, if there are steps. Throws std::runtime_error if one was not one fault.
[[nodiscard]] TurnResult time_first_stores(TimedFaults& memory, std::span<const std::size_t> pages,
                                           std::uint64_t value);

/// Made in the side's own process.
using MakeFaults = std::function<std::unique_ptr<TimedFaults>()>;

/// In each turn: begin(), the pages read where they are to be, the timed stores, end(); begin(),
/// the counted ones, end(). A sample is a store; its parts are the steps and the return.
[[nodiscard]] Side side_of_stores(std::string name, const FirstStores& stores, MakeFaults make);
/// The same, but with memory made anew for each turn, and nothing kept from the last one.
[[nodiscard]] Side side_of_new_memory(std::string name, const FirstStores& stores, MakeFaults make);
/// The stores of a child of fork(), to plain memory that it shares with its parent.
[[nodiscard]] Side side_in_child(std::string name, const FirstStores& stores);

/// A sample is from the end() after that many stores to the end of the next begin(), divided by
/// them: what they cost beside their faults.
[[nodiscard]] Side side_of_next_begin(std::string name, const FirstStores& stores, MakeFaults make);

using AbsentCounters = std::vector<std::pair<std::string, std::string>>;

/// Names of the counters that cannot be had here, and why. Takes some 50 ms, as the kernel waits
/// for all processors before it gives up a tracepoint.
[[nodiscard]] AbsentCounters absent_counters();

/// What the comparisons have in common: bytes, pages, pattern, stores and, where something is
/// counted, others.
[[nodiscard]] nlohmann::ordered_json parameters_of(const FirstStores& stores);

}  // namespace cow::measure
