#pragma once

// What was measured for each of the textbook's claims, and the sentence that reads it. Nothing is
// measured here: from the same values comes the same sentence (tests/textbook_readings_test.cpp).

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crossover.hpp"

namespace cow_bench {

/// Whether the values bear the claim out. Of a disadvantage: whether it is there.
enum class Verdict { holds, in_part, fails };

struct Reading {
  Verdict verdict = Verdict::holds;
  std::string text;  ///< begins with the verdict in words
};

/// One figure for each way to share or to copy.
struct Ways {
  double handler = 0;
  std::optional<double> kernel{};  ///< empty where this kernel has no such mechanism
  double fork = 0;
  double copy = 0;
};

struct MemoryRow {
  std::string written;
  double least = 0;  ///< bytes that could hold all contents
  Ways bytes{};
};
/// The first row has nothing written. `sharers` have the same bytes at first.
[[nodiscard]] Reading read_memory(std::size_t sharers, const std::vector<MemoryRow>& rows);

struct CreationRow {
  std::string size;
  std::optional<double> handler_first{};  ///< ns of the very first clone of a new region
  std::optional<double> kernel_first{};
  Ways later{};  ///< ns of one more
};
/// `sizes` rise; before each clone of `rewritten` all was stored to again.
[[nodiscard]] Reading read_creation(const std::vector<CreationRow>& sizes,
                                    const CreationRow& rewritten);

/// Bytes that each step added.
struct LazySteps {
  double created = 0;
  double loaded = 0;         ///< by loads from pages far from all stores
  double stored = 0;         ///< by as many stores
  double loaded_beside = 0;  ///< by loads from neighbours of pages that were stored to
  double tables = 0;         ///< all page tables, the processor's and libcow's, after that
};
struct LazyValues {
  double size = 0;
  double page = 0;
  double touched = 0;  ///< pages of each step
  LazySteps handler{};
  std::optional<LazySteps> kernel{};
  LazySteps mapped{};  ///< plain private memory
  double filled = 0;   ///< bytes of plain memory that was filled at once
};
[[nodiscard]] Reading read_lazy(const LazyValues& values);

struct CopiesRow {
  std::string stores;
  double stored = 0;  ///< pages
  Ways copied{};
  double one_by_one = 0;  ///< by the handler, without windows
};
[[nodiscard]] Reading read_copies(const std::vector<CopiesRow>& rows);

struct Meeting {
  std::string stores;
  std::vector<RatioAt> handler{};  ///< to copying everything at once
  std::vector<RatioAt> kernel{};   ///< empty where there is none
};
struct OverheadValues {
  Ways first{};  ///< ns of a store; `copy` is a store to memory that was copied
  Ways again{};
  std::vector<std::pair<std::string, double>> parts_ns{};  ///< of a fault; one is called "copy"
  std::vector<Meeting> meetings{};
};
[[nodiscard]] Reading read_overhead(const OverheadValues& values);

struct FragmentsRow {
  std::string stores;
  Ways mappings{};
  double one_by_one = 0;  ///< of the handler, without windows
  Ways faults{};  ///< of the kernel, while all is read in order for the first time after that
  double faults_one_by_one = 0;
  Ways read_ns{};  ///< all read in order once more
  double read_one_by_one_ns = 0;
};
/// The first row has nothing stored. `most` is vm.max_map_count, or 0.
[[nodiscard]] Reading read_fragments(const std::vector<FragmentsRow>& rows, double most);

struct Asked {
  double calls = 0;
  double signals = 0;
  double faults = 0;
};
struct ComplexityValues {
  Asked handler{};  ///< for a first store
  std::optional<Asked> kernel{};
  Asked fork{};
  Asked copy{};
  std::optional<double> miniature_lines{};
  std::optional<double> handler_lines{};  ///< of the fault path
  std::optional<double> kernel_lines{};
  std::optional<double> library_lines{};
};
/// `counted`: whether system calls could be; if not, there are lines at least.
[[nodiscard]] Reading read_complexity(const ComplexityValues& values, bool counted);

/// How well one store's time tells two cases apart.
struct Guesses {
  double slower_ns = 0;  ///< median where it was shared
  double faster_ns = 0;  ///< and where not
  double right = 0;      ///< share of guesses that were right, half is what a coin would be
};
struct IsolationValues {
  Ways leaked{};       ///< bytes that a sharer saw and should not have
  double control = 0;  ///< the same where memory is shared without copying
  double stores = 0;
  /// From the time of a store: is the page shared? And: has the other sharer stored to it?
  Guesses handler_is_shared{};
  Guesses handler_has_stored{};
  std::optional<Guesses> kernel_is_shared{};
  std::optional<Guesses> kernel_has_stored{};
  Guesses fork_is_shared{};
  Guesses fork_has_stored{};
};
[[nodiscard]] Reading read_isolation(const IsolationValues& values);

}  // namespace cow_bench
