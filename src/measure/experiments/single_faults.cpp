// First stores, each timed by itself: how they are spread, not only what they are in the middle.

#include <string>
#include <vector>

#include "measure/experiments.hpp"
#include "measure/experiments/first_stores.hpp"

namespace cow::measure {

namespace {

using MakeSide = Side (*)(std::string name, const FirstStores& stores, MakeFaults make);

void add_sides(Comparison& comparison, const FirstStores& stores, MakeSide side) {
  const std::size_t bytes = stores.bytes;
  for (const char* name :
       {"handler", "kernel", "fork", "private", "uffd-signal", "uffd-thread", "mprotect"}) {
    comparison.sides.push_back(
        side(name, stores, [bytes, name] { return whole_faults(name, bytes); }));
  }
}

Comparison comparison_of(std::string workload, const FirstStores& stores, std::size_t turns,
                         const AbsentCounters& absent) {
  return {.workload = std::move(workload),
          .parameters = parameters_of(stores),
          .sample = "a first store to a page, a fault or not, with two readings of the clock",
          .against = "handler",
          .sides = {},
          .memory_bytes = 3 * stores.bytes,
          .least_turns = least_turns_of_stores,
          .most_turns = turns,
          .counters_absent = absent};
}

}  // namespace

std::vector<Comparison> single_faults(const Scale& scale) {
  FirstStores stores = first_stores(scale);
  const std::size_t bytes = stores.bytes;
  const auto turns = scale.pick<std::size_t>(6, 24, 120);
  const AbsentCounters absent = absent_counters();

  Comparison random = comparison_of("first stores, random pages", stores, turns, absent);
  add_sides(random, stores, side_of_stores);
  random.sides.push_back(side_in_child("fork-child", stores));
  random.sides.push_back(
      side_of_stores("bare-fault", stores, [bytes] { return timed_protection(bytes); }));
  random.sides.push_back(side_of_stores("bare-signal", stores, [] { return timed_signal(); }));

  // Half as many turns: making the memory takes most of the time.
  Comparison anew =
      comparison_of("first stores, random pages of new memory", stores, turns / 2, absent);
  add_sides(anew, stores, side_of_new_memory);

  stores.pattern = Pattern::sequential;
  Comparison in_order = comparison_of(
      "first stores, pages in order (a window takes the next ones along)", stores, turns, absent);
  // The median of the one is a plain store, of the other a fault: the means can be compared.
  in_order.against.clear();
  add_sides(in_order, stores, side_of_stores);
  in_order.sides.push_back(side_in_child("fork-child", stores));
  return {random, anew, in_order};
}

}  // namespace cow::measure
