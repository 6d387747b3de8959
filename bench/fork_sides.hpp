#pragma once

// What fork() does instead of a clone, a snapshot or a rollback, each to be run in a SideProcess
// that holds plain memory and nothing else. Every `prepare_…` fills `bytes` of memory and returns
// how one turn is measured, in nanoseconds.

#include <cstddef>
#include <vector>

#include <cow/region.hpp>

#include "fork_turns.hpp"
#include "forking.hpp"
#include "session.hpp"
#include "stores.hpp"

namespace cow_bench {

/// Two figures: until fork() returns, and until the child, which ends at once, is reaped.
[[nodiscard]] SideProcess::Measure prepare_forks(std::size_t bytes);

/// Two figures, the kernel's copy on write per store: in the child of a fork(), and in the parent
/// while a child lives.
[[nodiscard]] SideProcess::Measure prepare_fork_stores(std::size_t bytes, std::size_t per_mille,
                                                       Order order);

/// One figure: a fork() whose child keeps the memory as it was, the parent's stores meanwhile, the
/// end of the child.
[[nodiscard]] SideProcess::Measure prepare_fork_snapshots(std::size_t bytes, RoundPages round);

/// One figure: a fork() whose child does the stores and ends, so that the parent's memory is as it
/// was. The first `turns` measurements are of the first of `rounds`, and so on.
[[nodiscard]] SideProcess::Measure prepare_fork_trials(std::size_t bytes,
                                                       std::vector<RoundPages> rounds,
                                                       std::size_t turns);

}  // namespace cow_bench
