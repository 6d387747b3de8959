#pragma once

// What fork() does instead of a clone, a snapshot or a rollback, as sides of Turns: each fills
// `bytes` of plain memory. Figures are nanoseconds.

#include <cow/region.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "stores.hpp"
#include "turns.hpp"

namespace cow_bench {

/// Which pages a round stores to: the same sequence on both sides of a comparison.
struct RoundPages {
  std::size_t stores = 0;
  bool same_every_round = false;
  /// Pages of round `round` among `pages`.
  [[nodiscard]] std::vector<std::size_t> of(std::size_t pages, std::uint64_t round) const {
    return draw_pages(pages, stores, same_every_round ? 0 : round);
  }
};

/// What fork() is compared with: one clone, which goes afterwards.
[[nodiscard]] inline double time_clone(const cow::Region& region) {
  const std::uint64_t start = now_ns();
  const cow::Region clone = region.clone();
  return elapsed_ns(start);
}

/// Two figures: until fork() returns, and until the child, which ends at once, is reaped.
[[nodiscard]] Prepare forks(std::size_t bytes);

/// Two figures, the kernel's copy on write per store: in the child of a fork(), and in the parent
/// while a child lives.
[[nodiscard]] Prepare stores_after_fork(std::size_t bytes, std::size_t per_mille, Order order);

/// One figure: a fork() whose child keeps the memory as it was, the parent's stores meanwhile, the
/// end of the child.
[[nodiscard]] Prepare fork_snapshots(std::size_t bytes, RoundPages round);

/// One figure: a fork() whose child does the stores and ends, so that the parent's memory is as it
/// was.
[[nodiscard]] Prepare fork_trials(std::size_t bytes, RoundPages round);

}  // namespace cow_bench
