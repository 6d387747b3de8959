#pragma once

// The textbook's claims about copy on write, each with its evidence: tables, and a sentence that
// reads them. Whatever a claim measures, its ways take turns.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "samples.hpp"
#include "textbook_values.hpp"

namespace cow_bench {

/// What a table says in one place.
struct Cell {
  std::string text;
  std::vector<double> values{};  ///< of times every sample, otherwise the figure itself
};

[[nodiscard]] Cell word_cell(std::string text);
[[nodiscard]] Cell count_cell(double count);
[[nodiscard]] Cell bytes_cell(double bytes);
[[nodiscard]] Cell time_cell(const Samples& samples);
[[nodiscard]] Cell time_cell(double ns);
[[nodiscard]] Cell percent_cell(double share);
/// The cell of what this kernel has not.
[[nodiscard]] Cell absent_cell();

template <typename Value>
[[nodiscard]] Cell cell_or_absent(const std::optional<Value>& value, Cell (*cell)(Value)) {
  return value ? cell(*value) : absent_cell();
}

struct TableRow {
  std::string what;
  std::vector<Cell> cells;
};

struct Table {
  std::string title;
  std::vector<std::string> columns;  ///< without that of the rows' names
  std::vector<TableRow> rows{};
  std::string note{};  ///< below it
};

struct Evidence {
  std::vector<Table> tables;
  Reading reading;
};

struct TextbookClaim {
  std::string_view name;      ///< on the command line
  std::string_view title;     ///< as textbooks have it
  std::string_view sentence;  ///< what they say
  Evidence (*measure)();
};

/// In the order in which textbooks have them: what it buys, what it costs.
[[nodiscard]] const std::vector<TextbookClaim>& textbook_claims();

/// Why this kernel has no Mechanism::kernel; empty if it has. Asked once.
[[nodiscard]] const std::string& kernel_is_missing();

// One file each: bench/textbook_<name>.cpp.
[[nodiscard]] Evidence measure_memory();
[[nodiscard]] Evidence measure_creation();
[[nodiscard]] Evidence measure_lazy();
[[nodiscard]] Evidence measure_copies();
[[nodiscard]] Evidence measure_overhead();
[[nodiscard]] Evidence measure_fragments();
[[nodiscard]] Evidence measure_complexity();
[[nodiscard]] Evidence measure_isolation();

}  // namespace cow_bench
