#pragma once

// What libcow does with a region whose pages are all protected, and what it is compared with, as
// sides of Turns: each has `bytes` of its own. One figure each, in nanoseconds.

#include <cow/options.hpp>
#include <cow/region.hpp>
#include <cow/snapshot.hpp>

#include <cstddef>
#include <cstdint>

#include "stores.hpp"
#include "turns.hpp"

namespace cow_bench {

/// Until there is a snapshot, which goes afterwards.
[[nodiscard]] inline double time_snapshot(const cow::Region& region) {
  const std::uint64_t start = now_ns();
  const cow::Snapshot snapshot = region.snapshot();
  return elapsed_ns(start);
}

/// Where the frames of a clone come from: those of the last turn's, which is gone, or the system.
enum class Frames { of_the_last, fresh };

/// A lazy clone.
[[nodiscard]] Prepare clones(std::size_t bytes);

/// An eager clone; its time is divided by `parts`.
[[nodiscard]] Prepare eager_clones(std::size_t bytes, Frames frames, std::size_t parts = 1);

/// memcpy of plain memory into fresh memory; its time is divided by `parts`.
[[nodiscard]] Prepare memory_copies(std::size_t bytes, std::size_t parts = 1);

/// A store to thousandths of a fresh lazy clone, on average.
[[nodiscard]] Prepare stores_to_clones(std::size_t bytes, std::size_t per_mille, Order order);

/// The same to a fresh MAP_PRIVATE mapping of a memfd.
[[nodiscard]] Prepare stores_to_private_files(std::size_t bytes, std::size_t per_mille,
                                              Order order);

/// A clone and stores to thousandths of it, altogether.
[[nodiscard]] Prepare clones_with_stores(std::size_t bytes, std::size_t per_mille, Order order,
                                         cow::CloneMode mode, Frames frames = Frames::of_the_last);

}  // namespace cow_bench
