// What one first store is made of, per mechanism, with and without other threads.

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "measure/experiments.hpp"
#include "measure/experiments/first_stores.hpp"
#include "measure/host/pinning.hpp"

namespace cow::measure {

namespace {

std::string beside(std::size_t others) {
  if (others == 0) return "nothing beside it";
  return fmt::format("{} busy {} beside it", others, others == 1 ? "thread" : "threads");
}

/// Its second thread has work of its own, and would have to wait for a processor that a busy thread
/// has: one of these fewer leaves it one.
Side side_with_reader(const char* name, FirstStores stores) {
  if (stores.others == 1) {
    return {.mechanism = name, .prepare = []() -> Turn {
              throw Unavailable(
                  "three processors are needed: for the store, for the thread that answers it, and "
                  "for a busy one");
            }};
  }
  const bool is_fewer = stores.others > 1;
  if (is_fewer) --stores.others;
  const std::size_t bytes = stores.bytes;
  Side side = side_of_stores(name, stores, [bytes, name] { return timed_tracker(name, bytes); });
  if (is_fewer) side.parameters = {{"others", stores.others}};
  return side;
}

/// All mechanisms, with their steps where they have some.
Comparison taken_apart(FirstStores stores, const Scale& scale, const AbsentCounters& absent) {
  stores.are_read_before = true;
  const std::size_t bytes = stores.bytes;
  Comparison comparison{
      .workload = fmt::format("a first store taken apart, {}", beside(stores.others)),
      .parameters = parameters_of(stores),
      .sample = "a first store to a page, with two readings of the clock",
      .against = "handler",
      .sides = {},
      .has_company = stores.others > 0,
      .memory_bytes = 3 * bytes,
      .least_turns = least_turns_of_stores,
      .most_turns = scale.pick<std::size_t>(6, 12, 60),
      .counters_absent = absent};
  const auto add = [&](const char* name, MakeFaults make) {
    comparison.sides.push_back(side_of_stores(name, stores, std::move(make)));
  };
  add("handler", [bytes] { return timed_handler(bytes, Kept::snapshot); });
  add("handler-clone", [bytes] { return timed_handler(bytes, Kept::region); });
  add("uffd-signal", [bytes] { return timed_tracker("uffd-signal", bytes); });
  comparison.sides.push_back(side_with_reader("uffd-thread", stores));
  add("mprotect", [bytes] { return timed_tracker("mprotect", bytes); });
  add("bare-remap", [bytes] { return timed_remap(bytes); });
  add("bare-fault", [bytes] { return timed_protection(bytes); });
  add("bare-signal", [] { return timed_signal(); });
  for (const char* name : {"kernel", "fork", "private"}) {
    add(name, [bytes, name] { return whole_faults(name, bytes); });
  }
  return comparison;
}

/// The kernel's own fault cannot be looked into, but there are kinds of it that do less.
Comparison kinds(const FirstStores& stores, const Scale& scale, const AbsentCounters& absent) {
  const std::size_t bytes = stores.bytes;
  Comparison comparison{.workload = "a first store, by what the page is",
                        .parameters = parameters_of(stores),
                        .sample = "a first store to a page, with two readings of the clock",
                        .against = "fork",
                        .sides = {},
                        .memory_bytes = 2 * bytes,
                        .least_turns = least_turns_of_stores,
                        .most_turns = scale.pick<std::size_t>(6, 12, 60),
                        .counters_absent = absent};
  const auto add = [&](const char* name, MakeFaults make) {
    comparison.sides.push_back(side_of_stores(name, stores, std::move(make)));
  };
  add("fork", [bytes] { return whole_faults("fork", bytes); });
  add("plain-upgraded", [bytes] { return plain_faults(PlainPage::upgraded, bytes); });
  add("plain-untouched", [bytes] { return plain_faults(PlainPage::untouched, bytes); });
  add("plain-zero-page", [bytes] { return plain_faults(PlainPage::zero_page, bytes); });
  add("plain-writable", [bytes] { return plain_faults(PlainPage::writable, bytes); });
  add("handler-upgraded", [bytes] { return handler_upgrades(bytes); });
  return comparison;
}

/// What is not paid by the fault.
Comparison next_begin(FirstStores stores, const Scale& scale) {
  const std::size_t bytes = stores.bytes;
  stores.counted = 0;
  stores.timed = scale.pick<std::size_t>(64, 512, 1024);
  Comparison comparison{
      .workload = fmt::format("what the next begin pays for each of {} stores", stores.timed),
      .parameters = parameters_of(stores),
      .sample = "the end of a snapshot and the next one, divided by the pages stored to between",
      .against = "handler",
      .sides = {},
      .memory_bytes = 3 * bytes,
      .least_turns = 5,
      .most_turns = scale.pick<std::size_t>(5, 30, 100)};
  for (const char* name : {"handler", "kernel", "fork", "private", "uffd-signal", "mprotect"}) {
    comparison.sides.push_back(
        side_of_next_begin(name, stores, [bytes, name] { return whole_faults(name, bytes); }));
  }
  return comparison;
}

}  // namespace

std::vector<Comparison> fault_anatomy(const Scale& scale) {
  const FirstStores alone = first_stores(scale);
  FirstStores together = alone;
  together.others = static_cast<std::size_t>(std::max(1, allowed_processors() - 1));
  const AbsentCounters absent = absent_counters();
  return {taken_apart(alone, scale, absent), taken_apart(together, scale, absent),
          kinds(alone, scale, absent), next_begin(alone, scale)};
}

}  // namespace cow::measure
