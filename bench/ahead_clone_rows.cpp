#include <cow/options.hpp>

#include <cstddef>
#include <string>

#include "ahead_rows.hpp"
#include "fork_turns.hpp"
#include "machine.hpp"
#include "region_turns.hpp"

namespace cow_bench {

namespace {

std::size_t clone_bytes() { return full_or_quick(256 * mib, 4 * mib); }

/// Stores to thousandths of a fresh lazy clone, per page, against the same after fork(): in the
/// child, which has the figure to reach, and in the parent.
Group stores_against_kernel(const std::string& what, std::size_t per_mille, Order order) {
  Row child{.what = what,
            .ours = "store to a fresh lazy clone",
            .theirs = "store after fork(), in the child"};
  Row parent{.what = what,
             .ours = child.ours,
             .theirs = "store after fork(), in the parent while the child lives"};
  const std::size_t bytes = clone_bytes();
  Turns turns(rounds(7));
  turns.add(child.ours, stores_to_clones(bytes, per_mille, order), {&child.our_samples});
  turns.add(child.theirs, stores_after_fork(bytes, per_mille, order),
            {&child.their_samples, &parent.their_samples});
  turns.take();
  parent.our_samples = child.our_samples;
  return {.rows = {child, parent}};
}

}  // namespace

Group overwrite_against_kernel() {
  Group group = stores_against_kernel("sequential overwrite of a clone of 256 MiB, per page", 1000,
                                      Order::sequential);
  group.rows.front().most = 0.7;
  return group;
}

Group random_stores_against_kernel() {
  Group group;
  for (const std::size_t per_mille : {1000U, 100U, 10U}) {
    const std::string what =
        "random stores to " + std::to_string(per_mille / 10) + " % of a clone of 256 MiB, per page";
    const Group part = stores_against_kernel(what, per_mille, Order::random);
    group.rows.insert(group.rows.end(), part.rows.begin(), part.rows.end());
  }
  group.rows.front().most = 3;  // all pages; fewer are there to compare
  return group;
}

Group eager_clone_against_memcpy() {
  Row row{.what = "eager clone of 256 MiB, per page",
          .ours = "clone(CloneMode::eager)",
          .theirs = "memcpy into fresh memory",
          .most = 0.9};
  const std::size_t bytes = clone_bytes();
  const std::size_t pages = bytes / host_page_bytes();
  Turns turns(rounds(15));
  turns.add(row.ours, eager_clones(bytes, Frames::of_the_last, pages), {&row.our_samples});
  turns.add(row.theirs, memory_copies(bytes, pages), {&row.their_samples});
  turns.take();
  return {.rows = {row}};
}

Group lazy_against_eager() {
  Group group;
  for (const Order order : {Order::sequential, Order::random}) {
    Row row{.what = "clone of 256 MiB + a store to every page, " + std::string(name_of(order)),
            .ours = "lazy clone",
            .theirs = "eager clone",
            .most = order == Order::sequential ? 1.1 : 2.0};
    const auto side = [order](cow::CloneMode mode) {
      return clones_with_stores(clone_bytes(), 1000, order, mode);
    };
    Turns turns(rounds(7));
    turns.add(row.ours, side(cow::CloneMode::lazy), {&row.our_samples});
    turns.add(row.theirs, side(cow::CloneMode::eager), {&row.their_samples});
    turns.take();
    group.rows.push_back(row);
  }
  return group;
}

}  // namespace cow_bench
