#include <cow/cow.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fork_sides.hpp"
#include "kernel_rows.hpp"
#include "stores.hpp"

namespace cow_bench {

Group kernel_clone_against_fork() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  Row reaped{.what = "clone of 1 GiB that has been cloned before",
             .ours = "clone()",
             .theirs = "fork() of a process with 1 GiB, child reaped",
             .most = 1.0 / 500};
  Row returned{
      .what = reaped.what, .ours = reaped.ours, .theirs = "the same fork(), until it returns"};
  Row handler{.what = reaped.what, .ours = reaped.ours, .theirs = by_handler};
  const SideProcess other(2, [bytes] { return prepare_forks(bytes); });
  const cow::Region region = protected_region(bytes, copied_by(cow::Mechanism::kernel));
  const cow::Region handled = protected_region(bytes, copied_by(cow::Mechanism::handler));
  take_turns(
      rounds(41), [&](bool wanted) { keep(wanted, reaped.our_samples, time_clone(region)); },
      [&](bool wanted) { keep(wanted, handler.their_samples, time_clone(handled)); },
      [&](bool wanted) {
        const std::vector<double> times = other.measure().values();
        keep(wanted, returned.their_samples, times[0]);
        keep(wanted, reaped.their_samples, times[1]);
      });
  returned.our_samples = reaped.our_samples;
  handler.our_samples = reaped.our_samples;
  return {.rows = {reaped, returned, handler}};
}

Group kernel_store_against_fork() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  constexpr std::size_t per_mille = 10;
  Row child{.what = "first store to a random page (1 % of 256 MiB)",
            .ours = "of a fresh clone",
            .theirs = "after fork(), in the child",
            .most = 1.1};
  Row parent{.what = child.what,
             .ours = child.ours,
             .theirs = "after fork(), in the parent while the child lives",
             .most = child.most};
  Row handler{.what = child.what, .ours = child.ours, .theirs = by_handler};
  const SideProcess other(2, [=] { return prepare_fork_stores(bytes, per_mille, Order::random); });
  const cow::Region region = protected_region(bytes, copied_by(cow::Mechanism::kernel));
  const cow::Region handled = protected_region(bytes, copied_by(cow::Mechanism::handler));
  const std::size_t count = share_of(region.size() / region.page_bytes(), per_mille);
  std::uint64_t seed = 0;
  const auto time_clone_stores = [&](const cow::Region& of) {
    cow::Region clone = of.clone();
    return time_per_store(pages_of(clone), count, Order::random, seed);
  };
  take_numbered_turns(
      rounds(41), seed,
      [&](bool wanted) { keep(wanted, child.our_samples, time_clone_stores(region)); },
      [&](bool wanted) { keep(wanted, handler.their_samples, time_clone_stores(handled)); },
      [&](bool wanted) {
        const std::vector<double> times = other.measure().values();
        keep(wanted, child.their_samples, times[0]);
        keep(wanted, parent.their_samples, times[1]);
      });
  parent.our_samples = child.our_samples;
  handler.our_samples = child.our_samples;
  return {.rows = {child, parent, handler}};
}

Group kernel_lazy_against_better() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  const cow::Region region = protected_region(bytes, copied_by(cow::Mechanism::kernel));
  const cow::Region handled = protected_region(bytes, copied_by(cow::Mechanism::handler));
  Group group;
  for (const Order order : {Order::sequential, Order::random}) {
    Row eager{.what = "clone of 256 MiB + a store to every page, " + std::string(name_of(order)),
              .ours = "lazy clone",
              .theirs = "eager clone"};
    Row eager_handler{
        .what = eager.what, .ours = eager.ours, .theirs = "eager clone, Mechanism::handler"};
    Row lazy_handler{
        .what = eager.what, .ours = eager.ours, .theirs = "lazy clone, Mechanism::handler"};
    std::uint64_t turn = 0;
    const auto side = [&](const cow::Region& of, cow::CloneMode mode, Samples& samples,
                          bool wanted) {
      const std::size_t pages = of.size() / of.page_bytes();
      const auto chosen = choose_pages(pages, pages, order, turn);
      const std::uint64_t start = now_ns();
      cow::Region clone = of.clone(mode);
      time_stores(pages_of(clone), chosen, 2);
      keep(wanted, samples, elapsed_ns(start));
    };
    take_numbered_turns(
        rounds(9), turn,
        [&](bool wanted) { side(region, cow::CloneMode::lazy, eager.our_samples, wanted); },
        [&](bool wanted) { side(region, cow::CloneMode::eager, eager.their_samples, wanted); },
        [&](bool wanted) {
          side(handled, cow::CloneMode::eager, eager_handler.their_samples, wanted);
        },
        [&](bool wanted) {
          side(handled, cow::CloneMode::lazy, lazy_handler.their_samples, wanted);
        });
    Row* better = &eager;
    for (Row* const row : {&eager_handler, &lazy_handler}) {
      row->our_samples = eager.our_samples;
      if (row->their_samples.median() < better->their_samples.median()) better = row;
    }
    better->most = 1.1;  // of the best
    group.rows.insert(group.rows.end(), {eager, eager_handler, lazy_handler});
  }
  return group;
}

}  // namespace cow_bench
