#include "measure/experiments/first_stores.hpp"

#include <cow/stats.hpp>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <thread>

#include "measure/host/busy_threads.hpp"
#include "measure/host/clock.hpp"
#include "measure/host/perf_counters.hpp"
#include "measure/host/pinning.hpp"
#include "measure/mechanisms/numbers_of_child.hpp"

namespace cow::measure {

namespace {

using Counts = std::vector<std::pair<std::string, double>>;

/// What two readings of the clock, one after the other, differ by: in every sample and every part.
double clock_ns() {
  std::array<double, 1001> differences{};
  for (double& difference : differences) {
    const std::uint64_t start = now_ns();
    difference = elapsed_ns(start);
  }
  const auto middle = differences.begin() + differences.size() / 2;
  std::ranges::nth_element(differences, middle);
  return *middle;
}

/// What is counted while each of `pages` is stored to, divided by them.
Counts count_each(PerfCounters& counters, TimedFaults& memory, std::span<const std::size_t> pages,
                  std::uint64_t value) {
  counters.start();
  const std::uint64_t before = minor_faults();
  for (const std::size_t page : pages) memory.store(memory.word(page), value);
  const std::uint64_t faults = minor_faults() - before;
  Counts counts = counters.stop();
  counts.emplace_back("minor faults, getrusage", static_cast<double>(faults));
  for (auto& [name, count] : counts) count /= static_cast<double>(pages.size());
  return counts;
}

/// The storing thread stays where it is, and the others run elsewhere.
struct Company {
  explicit Company(const FirstStores& stores)
      : here(stores.processors), others(stores.others, stores.processors, here.processor()) {}
  StayHere here;
  BusyThreads others;
};

void read_each(TimedFaults& memory, std::span<const std::size_t> pages) {
  for (const std::size_t page : pages) {
    const std::uint64_t* const word = memory.word(page);
    if (word != nullptr) static_cast<void>(*static_cast<const volatile std::uint64_t*>(word));
  }
}

/// By a thread on another processor, where there is one, and by the calling one.
void read_everywhere(const FirstStores& stores, const Company& company, TimedFaults& memory,
                     std::span<const std::size_t> pages) {
  if (!stores.are_read_before) return;
  if (stores.others > 0) {
    std::thread([&] {
      const int here = company.here.processor();
      for (const int processor : stores.processors) {
        if (processor != here && pin_to(processor)) read_each(memory, pages);
      }
    }).join();
  }
  read_each(memory, pages);
}

TurnResult turn_of(const FirstStores& stores, const PieceByPiece& pages, PerfCounters& counters,
                   TimedFaults& memory, std::uint64_t turn, StoresSoFar& so_far) {
  const Company company(stores);
  const auto faults = [&memory] {
    const std::optional<std::uint64_t> answered = memory.faults_answered();
    return answered ? *answered : minor_faults();
  };
  memory.begin();
  read_everywhere(stores, company, memory, pages.timed(turn));
  const std::uint64_t before = faults();
  TurnResult result = time_first_stores(memory, pages.timed(turn), turn);
  // What has steps is one fault for each store, or has thrown.
  const bool is_whole = memory.steps().empty();
  so_far.add(result, is_whole ? faults() - before : result.samples.size(), turn);
  memory.end();
  memory.begin();
  read_everywhere(stores, company, memory, pages.counted(turn));
  result.counts = count_each(counters, memory, pages.counted(turn), turn);
  memory.end();
  result.counts.emplace_back("clock ns", clock_ns());
  so_far.add_counts_to(result);
  return result;
}

}  // namespace

void StoresSoFar::add(const TurnResult& result, std::uint64_t faults, std::uint64_t turn) {
  if (turn <= 1) *this = {};  // the rehearsal is not among the samples either
  stores_ += static_cast<double>(result.samples.size());
  faults_ += static_cast<double>(faults);
  ns_ = std::accumulate(result.samples.begin(), result.samples.end(), ns_);
}

void StoresSoFar::add_counts_to(TurnResult& result) const {
  if (stores_ == 0) return;
  result.counts.emplace_back("share of stores that faulted", std::min(1.0, faults_ / stores_));
  result.counts.emplace_back("mean ns of a store", ns_ / stores_);
}

TurnResult time_first_stores(TimedFaults& memory, std::span<const std::size_t> pages,
                             std::uint64_t value) {
  const std::span<const std::string_view> steps = memory.steps();
  TurnResult result;
  for (const std::string_view step : steps) result.parts.push_back({std::string(step), {}});
  if (!steps.empty()) result.parts.push_back({"return", {}});
  for (NamedSamples& part : result.parts) part.values.reserve(pages.size());
  result.samples.reserve(pages.size());
  for (const std::size_t page : pages) {
    std::uint64_t* const word = memory.word(page);
    const std::uint64_t start = now_ns();
    memory.store(word, value);
    const std::uint64_t end = now_ns();
    result.samples.push_back(static_cast<double>(end - start));
    if (steps.empty()) continue;
    const std::optional<StepTimes> times = memory.times();
    if (!times) {
      throw std::runtime_error("a first store was not one fault, which is what was to be timed");
    }
    std::uint64_t last = start;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      result.parts[i].values.push_back(static_cast<double>((*times)[i] - last));
      last = (*times)[i];
    }
    result.parts.back().values.push_back(static_cast<double>(end - last));
  }
  return result;
}

FirstStores first_stores(const Scale& scale, std::size_t page_bytes) {
  // What is stored to in every round libcow copies beforehand: several turns store to other pages.
  constexpr std::size_t least_pieces = 4;
  FirstStores stores{.page_bytes = page_bytes,
                     .timed = scale.pick<std::size_t>(64, 192, 320),
                     .counted = 64,
                     .processors = list_processors()};
  stores.bytes = std::max(scale.pick(4 * mib, 16 * mib, 64 * mib),
                          least_pieces * stores.of_a_turn() * page_bytes);
  return stores;
}

PieceByPiece::PieceByPiece(const FirstStores& stores)
    : stores_(stores),
      order_(pages_of(stores.pattern, stores.pages(), stores.pages(), 1)),
      pieces_(order_.size() / stores.of_a_turn()) {
  if (pieces_ == 0) throw std::logic_error("a turn stores to more pages than there are");
}

std::span<const std::size_t> PieceByPiece::timed(std::uint64_t turn) const {
  const std::size_t first = turn % pieces_ * stores_.of_a_turn();
  return std::span(order_).subspan(first, stores_.timed);
}

std::span<const std::size_t> PieceByPiece::counted(std::uint64_t turn) const {
  const std::size_t first = turn % pieces_ * stores_.of_a_turn() + stores_.timed;
  return std::span(order_).subspan(first, stores_.counted);
}

Side side_of_stores(std::string name, const FirstStores& stores, MakeFaults make) {
  return {.mechanism = std::move(name), .prepare = [stores, make = std::move(make)]() -> Turn {
            // The counters first: an event of the kernel's is then there for all that follows.
            auto counters = std::make_shared<PerfCounters>();
            std::shared_ptr<TimedFaults> memory = make();
            return [stores, counters, memory, pages = PieceByPiece(stores),
                    so_far = StoresSoFar()](std::uint64_t turn) mutable {
              return turn_of(stores, pages, *counters, *memory, turn, so_far);
            };
          }};
}

Side side_of_new_memory(std::string name, const FirstStores& stores, MakeFaults make) {
  return {.mechanism = std::move(name), .prepare = [stores, make = std::move(make)]() -> Turn {
            auto counters = std::make_shared<PerfCounters>();
            make();  // if it cannot be had, it is known here
            return [stores, counters, make, pages = PieceByPiece(stores),
                    so_far = StoresSoFar()](std::uint64_t turn) mutable {
              const std::unique_ptr<TimedFaults> memory = make();
              cow::trim();
              return turn_of(stores, pages, *counters, *memory, turn, so_far);
            };
          }};
}

Side side_in_child(std::string name, const FirstStores& stores) {
  return {.mechanism = std::move(name), .prepare = [stores]() -> Turn {
            std::shared_ptr<TimedFaults> memory = plain_faults(PlainPage::writable, stores.bytes);
            return [stores, memory, pages = PieceByPiece(stores),
                    so_far = StoresSoFar()](std::uint64_t turn) mutable {
              const std::size_t count = stores.timed;
              std::vector<double> found = numbers_of_child(count + 1, [&](std::span<double> into) {
                const std::uint64_t before = minor_faults();
                const TurnResult result = time_first_stores(*memory, pages.timed(turn), turn);
                into[count] = static_cast<double>(minor_faults() - before);
                std::ranges::copy(result.samples, into.begin());
              });
              const double faults = found.back();
              found.pop_back();
              TurnResult result{
                  .samples = std::move(found),
                  .parts = {},
                  .counts = {{"minor faults, getrusage", faults / static_cast<double>(count)},
                             {"clock ns", clock_ns()}}};
              so_far.add(result, static_cast<std::uint64_t>(faults), turn);
              so_far.add_counts_to(result);
              return result;
            };
          }};
}

Side side_of_next_begin(std::string name, const FirstStores& stores, MakeFaults make) {
  return {.mechanism = std::move(name), .prepare = [stores, make = std::move(make)]() -> Turn {
            std::shared_ptr<TimedFaults> memory = make();
            memory->begin();
            return [memory, pages = PieceByPiece(stores)](std::uint64_t turn) {
              const std::span<const std::size_t> these = pages.timed(turn);
              const auto count = static_cast<double>(these.size());
              for (const std::size_t page : these) memory->store(memory->word(page), turn);
              const std::uint64_t faults = minor_faults();
              const std::uint64_t start = now_ns();
              memory->end();
              memory->begin();
              const double time = elapsed_ns(start);
              return TurnResult{.samples = {time / count},
                                .parts = {},
                                .counts = {{"minor faults, getrusage",
                                            static_cast<double>(minor_faults() - faults) / count}}};
            };
          }};
}

AbsentCounters absent_counters() {
  AbsentCounters absent;
  const PerfCounters counters;
  for (const PerfCounters::Missing& missing : counters.missing()) {
    absent.emplace_back(missing.name, missing.reason);
  }
  return absent;
}

nlohmann::ordered_json parameters_of(const FirstStores& stores) {
  nlohmann::ordered_json parameters = {{"bytes", stores.bytes},
                                       {"pages", stores.pages()},
                                       {"pattern", name_of(stores.pattern)},
                                       {"stores", stores.timed}};
  if (stores.counted == 0) return parameters;
  parameters["others"] = stores.others;
  if (stores.are_read_before) parameters["read_before"] = true;
  return parameters;
}

}  // namespace cow::measure
