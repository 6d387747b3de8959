#include <cow/cow.hpp>

#include <cstdint>
#include <memory>
#include <string>

#include "fork_turns.hpp"
#include "kernel_rows.hpp"
#include "stores.hpp"

namespace cow_bench {

namespace {

std::shared_ptr<cow::Region> shared_before(cow::Mechanism mechanism, std::size_t bytes) {
  return std::make_shared<cow::Region>(protected_region(bytes, copied_by(mechanism)));
}

/// One figure: a clone.
Prepare clones(cow::Mechanism mechanism, std::size_t bytes) {
  return [=]() -> Turn {
    return [region = shared_before(mechanism, bytes)](std::uint64_t) {
      return Figures{time_clone(*region)};
    };
  };
}

/// One figure: a store to a page of a fresh clone.
Prepare stores_to_clones(cow::Mechanism mechanism, std::size_t bytes, std::size_t per_mille) {
  return [=]() -> Turn {
    return [=, region = shared_before(mechanism, bytes)](std::uint64_t turn) {
      cow::Region clone = region->clone();
      const Pages pages = pages_of(clone);
      const std::size_t count = share_of(pages.count, per_mille);
      return Figures{time_per_store(pages, count, Order::random, turn)};
    };
  };
}

/// One figure: a clone and a store to every page of it.
Prepare overwritten_clones(cow::Mechanism mechanism, std::size_t bytes, cow::CloneMode mode,
                           Order order) {
  return [=]() -> Turn {
    return [=, region = shared_before(mechanism, bytes)](std::uint64_t turn) {
      const std::size_t pages = pages_of(*region).count;
      const auto chosen = choose_pages(pages, pages, order, turn);
      const std::uint64_t start = now_ns();
      cow::Region clone = region->clone(mode);
      time_stores(pages_of(clone), chosen, 2);
      return Figures{elapsed_ns(start)};
    };
  };
}

}  // namespace

Group kernel_clone_against_fork() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  Row reaped{.what = "clone of 1 GiB that has been cloned before",
             .ours = "clone()",
             .theirs = "fork() of a process with 1 GiB, child reaped",
             .most = 1.0 / 500};
  Row returned{
      .what = reaped.what, .ours = reaped.ours, .theirs = "the same fork(), until it returns"};
  Row handler{.what = reaped.what, .ours = reaped.ours, .theirs = by_handler};
  Turns turns(rounds(41));
  turns.add(by_kernel, clones(cow::Mechanism::kernel, bytes), {&reaped.our_samples});
  turns.add(by_handler, clones(cow::Mechanism::handler, bytes), {&handler.their_samples});
  turns.add(reaped.theirs, forks(bytes), {&returned.their_samples, &reaped.their_samples});
  turns.take();
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
  Turns turns(rounds(41));
  turns.add(by_kernel, stores_to_clones(cow::Mechanism::kernel, bytes, per_mille),
            {&child.our_samples});
  turns.add(by_handler, stores_to_clones(cow::Mechanism::handler, bytes, per_mille),
            {&handler.their_samples});
  turns.add("fork()", stores_after_fork(bytes, per_mille, Order::random),
            {&child.their_samples, &parent.their_samples});
  turns.take();
  parent.our_samples = child.our_samples;
  handler.our_samples = child.our_samples;
  return {.rows = {child, parent, handler}};
}

Group kernel_lazy_against_better() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  Group group;
  for (const Order order : {Order::sequential, Order::random}) {
    Row eager{.what = "clone of 256 MiB + a store to every page, " + std::string(name_of(order)),
              .ours = "lazy clone",
              .theirs = "eager clone"};
    Row eager_handler{
        .what = eager.what, .ours = eager.ours, .theirs = "eager clone, Mechanism::handler"};
    Row lazy_handler{
        .what = eager.what, .ours = eager.ours, .theirs = "lazy clone, Mechanism::handler"};
    Turns turns(rounds(9));
    const auto add = [&](cow::Mechanism mechanism, cow::CloneMode mode, const std::string& name,
                         Samples& samples) {
      turns.add(name, overwritten_clones(mechanism, bytes, mode, order), {&samples});
    };
    using cow::CloneMode;
    using cow::Mechanism;
    add(Mechanism::kernel, CloneMode::lazy, eager.ours, eager.our_samples);
    add(Mechanism::kernel, CloneMode::eager, eager.theirs, eager.their_samples);
    add(Mechanism::handler, CloneMode::eager, eager_handler.theirs, eager_handler.their_samples);
    add(Mechanism::handler, CloneMode::lazy, lazy_handler.theirs, lazy_handler.their_samples);
    turns.take();
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
