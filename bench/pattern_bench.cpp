// What a clone costs in the end, for every pattern of stores and every part of the pages: all lazy
// (windows off), all eager, and as libcow does it. The three take turns, each in a process of its
// own, and what counts is the processor time of the one thread that clones and stores. Prints the
// ratio to the better of the first two; `--json FILE` has every sample, for bench/pattern_plot.py.

#include <fmt/format.h>
#include <cow/cow.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "comparison_result.hpp"
#include "machine.hpp"
#include "measure/experiments/store_patterns.hpp"
#include "measure/result.hpp"
#include "result_program.hpp"
#include "stores.hpp"
#include "turns.hpp"

namespace cow_bench {
namespace {

constexpr const char* eager = "eager";

std::size_t pattern_bytes() { return full_or_quick(64 * mib, 2 * mib); }

/// Processor time from before the clone until so many pages were stored to, for each checkpoint.
using Curve = std::vector<Samples>;

struct Curves {
  Curve lazy;
  Curve eager;
  Curve libcow;
};

/// A figure for each checkpoint: a clone of a region that was shared before, and its stores.
Prepare curves_of(cow::CloneMode mode, const cow::RegionOptions& options,
                  const store_patterns::Order& order, const std::vector<std::size_t>& checkpoints) {
  return [=]() -> Turn {
    const auto source = std::make_shared<cow::Region>(protected_region(pattern_bytes(), options));
    return [=](std::uint64_t) {
      std::vector<double> times;
      times.reserve(checkpoints.size());
      const std::uint64_t start = thread_time_ns();
      cow::Region clone = source->clone(mode);
      const Pages pages = pages_of(clone);
      std::size_t stored = 0;
      for (const std::size_t checkpoint : checkpoints) {
        for (; stored < checkpoint; ++stored) {
          pages.store(order[stored], start);
        }
        times.push_back(static_cast<double>(thread_time_ns() - start));
      }
      return Figures(times);
    };
  };
}

Curves measure_pattern(const store_patterns::Order& order,
                       const std::vector<std::size_t>& checkpoints) {
  Curves curves;
  Turns turns(rounds(5));
  const auto add = [&](const char* name, cow::CloneMode mode, const cow::RegionOptions& options,
                       Curve& curve) {
    curve.resize(checkpoints.size());
    std::vector<Samples*> into;
    for (Samples& samples : curve) into.push_back(&samples);
    turns.add(name, curves_of(mode, options, order, checkpoints), into);
  };
  add("lazy", cow::CloneMode::lazy, {.max_window_pages = 1}, curves.lazy);
  add(eager, cow::CloneMode::eager, {}, curves.eager);
  add("libcow", cow::CloneMode::lazy, {}, curves.libcow);
  turns.take();
  return curves;
}

/// A row for each of the three, at each checkpoint.
void add_rows(const std::string& name, const Curves& curves,
              const std::vector<std::size_t>& checkpoints, std::vector<cow::measure::Row>& rows) {
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    const auto add = [&](const char* mechanism, const Curve& curve) {
      cow::measure::Row row;
      row.experiment = name;
      row.workload = fmt::format("{} of {} pages", checkpoints[i], checkpoints.back());
      row.mechanism = mechanism;
      row.parameters = {
          {"pattern", name}, {"pages", checkpoints.back()}, {"stores", checkpoints[i]}};
      row.sample = "processor time of the thread, from before the clone until the last store";
      row.samples = curve[i].values();
      if (row.mechanism != eager) row.against = eager;
      rows.push_back(std::move(row));
    };
    add("lazy", curves.lazy);
    add(eager, curves.eager);
    add("libcow", curves.libcow);
  }
}

/// Where the ratio to the better of lazy and eager is greatest.
void print_worst(const std::string& name, const Curves& curves,
                 const std::vector<std::size_t>& checkpoints) {
  double worst = 0;
  std::size_t at = 0;
  const auto ratio = [&](std::size_t i) {
    return curves.libcow[i].median() / std::min(curves.lazy[i].median(), curves.eager[i].median());
  };
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    if (ratio(i) > worst) {
      worst = ratio(i);
      at = checkpoints[i];
    }
  }
  const double percent = 100.0 * static_cast<double>(at) / static_cast<double>(checkpoints.back());
  fmt::print("| {} | {:.2f} | {:.3g} % | {:.2f} | {:.2f} |\n", name, worst, percent,
             ratio(checkpoints.size() - 1),
             curves.libcow.back().median() / curves.lazy.back().median());
}

Measured run(const ResultArguments& arguments) {
  Measured measured{.result = new_result("pattern_bench", arguments.words)};
  warm_up(gib);
  const std::uint64_t start = now_ns();
  const std::size_t pages = pattern_bytes() / host_page_bytes();
  const auto checkpoints = store_patterns::checkpoints(pages, full_or_quick<std::size_t>(8, 2));
  std::puts("Cost of libcow's clone against the better of all lazy and all eager:\n\n"
            "| pattern | worst | at, of the pages | all pages | all pages, against lazy |\n"
            "|---|---|---|---|---|");
  for (const auto& [name, order] : store_patterns::all(pages, 1)) {
    if (!arguments.wants(name)) continue;
    const Curves curves = measure_pattern(order, checkpoints);
    print_worst(name, curves, checkpoints);
    add_rows(name, curves, checkpoints, measured.result.rows);
  }
  measured.result.duration_s = elapsed_ns(start) * 1e-9;
  measured.result.is_complete = true;
  return measured;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, order] : store_patterns::all(store_patterns::block_pages, 1))
    all.push_back(name);
  return all;
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  return cow_bench::run_result_program(argc, argv, "pattern_bench", cow_bench::names(),
                                       cow_bench::run);
}
