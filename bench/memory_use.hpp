#pragma once

// How much memory a crowd of clones takes, against the least that could hold their contents.

#include <cow/options.hpp>

#include <cstddef>
#include <string_view>

namespace cow_bench {

/// Where the written pages of a clone lie.
enum class Spread {
  block,    ///< one run of pages, somewhere
  runs,     ///< runs of 16 pages, anywhere
  singles,  ///< single pages, anywhere: two kernel mappings for each
};

inline constexpr Spread every_spread[] = {Spread::block, Spread::runs, Spread::singles};

[[nodiscard]] std::string_view name_of(Spread spread);

struct Crowd {
  std::size_t clones = 100;
  std::size_t bytes = 0;       ///< of each clone
  std::size_t per_mille = 10;  ///< of its pages are written
  Spread spread = Spread::singles;
  cow::RegionOptions options{};
};

/// Figures of cow::process_stats() while all clones are alive.
struct MemoryUse {
  std::size_t clones = 0;  ///< made; fewer than asked for if the machine was running out of memory
  std::size_t frames_in_use = 0;
  std::size_t frames_least = 0;  ///< the original's pages and every page written in a clone
  std::size_t bytes_metadata = 0;
  std::size_t bytes_as_copies = 0;  ///< what the clones would weigh as copies
  std::size_t mappings_in_use = 0;
  std::size_t mappings_wanted = 0;  ///< if no clone took neighbours along
  std::size_t mapping_budget = 0;
  double seconds = 0;  ///< to clone and write them all

  [[nodiscard]] double frames_ratio() const;
  [[nodiscard]] double metadata_ratio() const;
};

/// Makes the crowd, reads the figures, drops it.
/// Throws std::runtime_error if a clone does not hold what was written to it.
[[nodiscard]] MemoryUse measure_crowd(const Crowd& crowd);

}  // namespace cow_bench
