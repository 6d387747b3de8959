// What a clone costs in the end: cloning and then storing to a part of its pages, for lazy and
// eager clones, both into frames the kernel makes anew and into those of the clone before, which
// libcow keeps for a while. Where lazy and eager meet, the crossover, is printed after the results
// (on stderr).

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <cow/cow.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crossover.hpp"
#include "samples.hpp"
#include "session.hpp"
#include "stores.hpp"

namespace cow_bench {
namespace {

constexpr std::size_t every_per_mille[] = {1, 10, 20, 30, 50, 70, 100, 150, 200, 500, 1000};

/// Where copies go, which makes about half of the price of a copy.
enum class Frames { anew, of_the_last_clone };
constexpr Frames every_frames[] = {Frames::anew, Frames::of_the_last_clone};

std::string name_of(Frames frames) {
  return frames == Frames::anew ? "new frames" : "frames of the last clone";
}

/// What is compared at every share of the pages.
struct Case {
  Frames frames;
  Order order;
  auto operator<=>(const Case&) const = default;
};

/// Median total in nanoseconds of what was measured, by case and thousandths of the pages.
using Totals = std::map<std::pair<Case, std::size_t>, double>;
Totals lazy_totals;
Totals eager_totals;

/// The time is the clone and the stores; dropping the clone has a counter of its own.
void clone_and_store(benchmark::State& state, cow::CloneMode mode, const Case& chosen_case,
                     std::size_t per_mille) {
  cow::Region region = protected_region(full_or_quick(256 * mib, 4 * mib));
  const std::size_t pages = pages_of(region).count;
  const auto chosen = choose_pages(pages, share_of(pages, per_mille), chosen_case.order, 1);
  if (chosen_case.frames == Frames::of_the_last_clone) {
    static_cast<void>(region.clone(cow::CloneMode::eager));
  }
  Samples totals;
  Samples clones;
  Samples drops;
  std::uint64_t copied = 0;
  for (auto _ : state) {
    std::uint64_t dropping = 0;
    if (chosen_case.frames == Frames::anew) {
      cow::trim();
    }
    {
      const std::uint64_t start = now_ns();
      cow::Region clone = region.clone(mode);
      clones.add(elapsed_ns(start));
      time_stores(pages_of(clone), chosen, 2);
      record(state, totals, elapsed_ns(start));
      copied = clone.stats().pages_copied;
      dropping = now_ns();
    }
    drops.add(elapsed_ns(dropping));
  }
  state.counters["p50_ms"] = totals.median() / 1e6;
  state.counters["clone_ms"] = clones.median() / 1e6;
  state.counters["drop_ms"] = drops.median() / 1e6;
  state.counters["pages_stored"] = static_cast<double>(chosen.size());
  state.counters["pages_copied"] = static_cast<double>(copied);
  (mode == cow::CloneMode::lazy ? lazy_totals : eager_totals)[{chosen_case, per_mille}] =
      totals.median();
}

std::string percent(double per_mille) { return fmt::format("{:.3g} %", per_mille / 10); }

/// Lazy against eager at one share of the pages; nothing if one of them was not run.
std::optional<double> ratio_at(const Case& chosen, std::size_t per_mille) {
  const auto lazy = lazy_totals.find({chosen, per_mille});
  const auto eager = eager_totals.find({chosen, per_mille});
  if (lazy == lazy_totals.end() || eager == eager_totals.end()) {
    return std::nullopt;
  }
  return lazy->second / eager->second;
}

/// Says how lazy compares and at what share of the pages eager begins to win, on a straight line
/// between the two measured shares around it.
void print_crossover(const Case& chosen) {
  std::string ratios;
  std::vector<RatioAt> measured;
  for (const std::size_t per_mille : every_per_mille) {
    const std::optional<double> ratio = ratio_at(chosen, per_mille);
    if (!ratio) {
      continue;
    }
    const auto share = static_cast<double>(per_mille);
    ratios += fmt::format("  {}: {:.3f}", percent(share), *ratio);
    measured.push_back({share, *ratio});
  }
  const std::optional<double> at = crossover(measured);
  const std::string meeting = !at ? "lazy wins at every share measured"
                              : *at == 0
                                  ? "eager wins at every share measured"
                                  : "eager wins from about " + percent(*at) + " of the pages";
  if (!ratios.empty()) {
    fmt::print(stderr, "{}, {}\n  lazy/eager{}\n  {}\n", name_of(chosen.order),
               name_of(chosen.frames), ratios, meeting);
  }
}

void print_crossovers() {
  for (const Frames frames : every_frames) {
    for (const Order order : every_order) {
      print_crossover({frames, order});
    }
  }
}

/// Lazy and eager beside each other, so that what slows the machine down meets both.
void register_one(const Case& chosen, std::size_t per_mille) {
  for (const auto mode : {cow::CloneMode::lazy, cow::CloneMode::eager}) {
    const std::string name = std::string(mode == cow::CloneMode::lazy ? "lazy/" : "eager/") +
                             name_of(chosen.frames) + "/" + std::string(name_of(chosen.order)) +
                             "/" + percent(static_cast<double>(per_mille));
    benchmark::RegisterBenchmark(
        name.c_str(),
        [=](benchmark::State& state) { clone_and_store(state, mode, chosen, per_mille); })
        ->Iterations(full_or_quick(5, 1))
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
}

void register_all() {
  for (const Frames frames : every_frames) {
    for (const Order order : every_order) {
      for (const std::size_t per_mille : every_per_mille) {
        register_one({frames, order}, per_mille);
      }
    }
  }
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  cow_bench::register_all();
  const int status = cow_bench::run_google_benchmarks(argc, argv, 2 * cow_bench::gib);
  cow_bench::print_crossovers();
  return status;
}
