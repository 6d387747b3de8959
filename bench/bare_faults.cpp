#include "bare_faults.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "machine.hpp"
#include "measure/experiments/first_stores.hpp"
#include "stores.hpp"

namespace cow_bench {

namespace {

using cow::measure::TimedFaults;
using cow::measure::TurnResult;

TurnResult time_stores_to(TimedFaults& memory, const std::vector<std::size_t>& pages) {
  memory.begin();
  TurnResult timed = cow::measure::time_first_stores(memory, pages, 2);
  memory.end();
  return timed;
}

/// The first part is the delivery, the last one the return.
void add(const TurnResult& timed, BareFaults& into) {
  for (std::size_t i = 0; i < timed.samples.size(); ++i) {
    const double delivery = timed.parts.front().values[i];
    const double back = timed.parts.back().values[i];
    into.delivery.add(delivery);
    into.handler.add(timed.samples[i] - delivery - back);
    into.back.add(back);
    into.total.add(timed.samples[i]);
  }
}

}  // namespace

Samples time_signal_round_trips(std::size_t count) {
  const std::unique_ptr<TimedFaults> signal = cow::measure::timed_signal();
  return Samples(time_stores_to(*signal, std::vector<std::size_t>(count)).samples);
}

BareFaults time_bare_faults(std::size_t count, BareFault kind) {
  // As many faults at a time as 1 % of 256 MiB are, so that the kernel has as many mappings to
  // search as it has with a clone.
  constexpr std::size_t faults_a_round = 655;
  constexpr std::size_t spread = 100;
  const std::size_t pages = kind == BareFault::mprotect_alone ? 1 : faults_a_round * spread;
  const std::size_t bytes = pages * host_page_bytes();
  const std::unique_ptr<TimedFaults> memory = kind == BareFault::remap
                                                  ? cow::measure::timed_remap(bytes)
                                                  : cow::measure::timed_protection(bytes);
  BareFaults faults;
  for (std::uint64_t round = 0; faults.total.size() < count; ++round) {
    const std::size_t wanted = std::min({pages, faults_a_round, count - faults.total.size()});
    add(time_stores_to(*memory, choose_pages(pages, wanted, Order::random, round)), faults);
  }
  return faults;
}

}  // namespace cow_bench
