#include <cow/cow.hpp>

#include <cstdint>
#include <cstring>
#include <string>

#include "ahead_rows.hpp"
#include "fork_sides.hpp"
#include "plain_memory.hpp"

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
  SideProcess other(2, [=] { return prepare_fork_stores(bytes, per_mille, order); });
  const cow::Region region = protected_region(bytes);
  const std::size_t count = share_of(region.size() / region.page_bytes(), per_mille);
  std::uint64_t seed = 0;
  take_numbered_turns(
      rounds(7), seed,
      [&](bool wanted) {
        cow::Region clone = region.clone();
        keep(wanted, child.our_samples, time_per_store(pages_of(clone), count, order, seed));
      },
      [&](bool wanted) {
        const std::vector<double> times = other.measure().values();
        keep(wanted, child.their_samples, times[0]);
        keep(wanted, parent.their_samples, times[1]);
      });
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
  const cow::Region region = protected_region(bytes);
  const PlainMemory memory = PlainMemory::anonymous(bytes);
  const auto pages = static_cast<double>(memory.pages().count);
  take_turns(
      rounds(15),
      [&](bool wanted) {
        const std::uint64_t start = now_ns();
        const cow::Region clone = region.clone(cow::CloneMode::eager);
        keep(wanted, row.our_samples, elapsed_ns(start) / pages);
      },
      [&](bool wanted) {
        const std::uint64_t start = now_ns();
        const PlainMemory fresh = PlainMemory::untouched(bytes);
        std::memcpy(fresh.data(), memory.data(), bytes);
        keep(wanted, row.their_samples, elapsed_ns(start) / pages);
      });
  return {.rows = {row}};
}

Group lazy_against_eager() {
  const cow::Region region = protected_region(clone_bytes());
  Group group;
  for (const Order order : {Order::sequential, Order::random}) {
    Row row{.what = "clone of 256 MiB + a store to every page, " + std::string(name_of(order)),
            .ours = "lazy clone",
            .theirs = "eager clone",
            .most = order == Order::sequential ? 1.1 : 2.0};
    std::uint64_t turn = 0;
    const auto side = [&](cow::CloneMode mode, Samples& samples, bool wanted) {
      const std::size_t pages = region.size() / region.page_bytes();
      const auto chosen = choose_pages(pages, pages, order, turn);
      const std::uint64_t start = now_ns();
      cow::Region clone = region.clone(mode);
      time_stores(pages_of(clone), chosen, 2);
      keep(wanted, samples, elapsed_ns(start));
    };
    take_numbered_turns(
        rounds(7), turn, [&](bool wanted) { side(cow::CloneMode::lazy, row.our_samples, wanted); },
        [&](bool wanted) { side(cow::CloneMode::eager, row.their_samples, wanted); });
    group.rows.push_back(row);
  }
  return group;
}

}  // namespace cow_bench
