// What a clone costs in the end, for every pattern of stores and every part of the pages: all lazy
// (windows off), all eager, and as libcow does it. The three take turns, and what counts is the
// processor time of the one thread that clones and stores. Prints the ratio to the
// better of the first two; `--json FILE` has every median, for bench/pattern_plot.py.

#include <fmt/format.h>
#include <cow/cow.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "command_line.hpp"
#include "comparison.hpp"
#include "machine.hpp"
#include "store_patterns.hpp"
#include "stores.hpp"

namespace cow_bench {
namespace {

/// Processor time from before the clone until so many pages were stored to, for each checkpoint.
using Curve = std::vector<Samples>;

struct Curves {
  Curve lazy;
  Curve eager;
  Curve libcow;
};

void measure(const cow::Region& source, cow::CloneMode mode, const store_patterns::Order& order,
             const std::vector<std::size_t>& checkpoints, bool wanted, Curve& into) {
  into.resize(checkpoints.size());
  const std::uint64_t start = thread_time_ns();
  cow::Region clone = source.clone(mode);
  const Pages pages = pages_of(clone);
  std::size_t stored = 0;
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    for (; stored < checkpoints[i]; ++stored) {
      pages.store(order[stored], start);
    }
    keep(wanted, into[i], static_cast<double>(thread_time_ns() - start));
  }
}

Curves measure_pattern(const cow::Region& windows, const cow::Region& no_windows,
                       const store_patterns::Order& order,
                       const std::vector<std::size_t>& checkpoints) {
  Curves curves;
  take_turns(
      rounds(5),
      [&](bool wanted) {
        measure(no_windows, cow::CloneMode::lazy, order, checkpoints, wanted, curves.lazy);
      },
      [&](bool wanted) {
        measure(windows, cow::CloneMode::eager, order, checkpoints, wanted, curves.eager);
      },
      [&](bool wanted) {
        measure(windows, cow::CloneMode::lazy, order, checkpoints, wanted, curves.libcow);
      });
  return curves;
}

std::vector<double> medians(const Curve& curve) {
  std::vector<double> values(curve.size());
  std::ranges::transform(curve, values.begin(), &Samples::median);
  return values;
}

nlohmann::ordered_json as_json(const std::string& name, const Curves& curves) {
  return {{"pattern", name},
          {"lazy_ns", medians(curves.lazy)},
          {"eager_ns", medians(curves.eager)},
          {"libcow_ns", medians(curves.libcow)}};
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

int run(const std::string& json_file) {
  warm_up(gib);
  const std::size_t bytes = full_or_quick(64 * mib, 2 * mib);
  const cow::Region windows = protected_region(bytes);
  const cow::Region no_windows = protected_region(bytes, {.max_window_pages = 1});
  const std::size_t pages = bytes / windows.page_bytes();
  const auto checkpoints = store_patterns::checkpoints(pages, full_or_quick<std::size_t>(8, 2));
  nlohmann::ordered_json json;
  for (const auto& [key, value] : describe_machine()) {
    json["machine"][key] = value;
  }
  json["quick"] = quick();
  json["pages"] = pages;
  json["stored"] = checkpoints;
  std::puts("Cost of libcow's clone against the better of all lazy and all eager:\n\n"
            "| pattern | worst | at, of the pages | all pages | all pages, against lazy |\n"
            "|---|---|---|---|---|");
  for (const auto& [name, order] : store_patterns::all(pages, 1)) {
    const Curves curves = measure_pattern(windows, no_windows, order, checkpoints);
    print_worst(name, curves, checkpoints);
    json["patterns"].push_back(as_json(name, curves));
  }
  if (json_file.empty()) {
    return EXIT_SUCCESS;
  }
  std::ofstream file(json_file);
  file << json.dump(1) << '\n' << std::flush;
  if (!file) {
    std::cerr << "pattern_bench: cannot write " << json_file << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace cow_bench

int main(int argc, char** argv) {
  std::string json_file;
  cow_bench::CommandLine command_line("pattern_bench", json_file);
  if (const auto status = command_line.parse(argc, argv)) {
    return *status;
  }
  try {
    return cow_bench::run(json_file);
  } catch (const std::exception& error) {
    std::cerr << "pattern_bench: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
