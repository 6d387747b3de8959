#include "soak/report.hpp"

#include <fmt/format.h>

#include <cow/cow.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tool/quantity.hpp"

namespace soak {

namespace {

std::uint64_t all_copies(World& world, Workers& workers) {
  std::uint64_t copies = world.figures.copies_of_dropped.load();
  for (const auto& shared : world.regions) copies += shared->region().stats().pages_copied;
  for (const auto& worker : workers) {
    for (PrivateRegion& region : worker->private_regions()) {
      copies += region.region().stats().pages_copied;
    }
  }
  return copies;
}

double seconds(std::chrono::steady_clock::duration elapsed) {
  return std::chrono::duration<double>(elapsed).count();
}

}  // namespace

Rows all_figures(World& world, Workers& workers) {
  const Figures& figures = world.figures;
  return {
      {"faults", cow::process_stats().faults},
      {"copies", all_copies(world, workers)},
      {"snapshots", figures.snapshots.load()},
      {"clones", figures.clones.load()},
      {"restores", figures.restores.load()},
      {"discards", figures.discards.load()},
      {"replacements", figures.replacements.load()},
      {"drops", figures.drops.load()},
      {"loads", figures.loads.load()},
      {"forks", figures.forks.load()},
      {"leases", figures.leases.load()},
      {"signals", figures.signals.load()},
      {"foreign faults", figures.foreign_faults.load()},
      {"takeovers", figures.takeovers.load()},
      {"shortages", figures.shortages.load()},
      {"small budgets", figures.small_budgets.load()},
      {"refusals", figures.refusals.load()},
      {"stores counted", figures.stores.load()},
      {"hashes", figures.hashes.load()},
      {"diffs", figures.differences.load()},
      {"checks", figures.checks.load()},
      {"lost stores", world.verdict.lost_stores()},
  };
}

void print_progress(const Rows& rows, std::chrono::steady_clock::duration elapsed) {
  std::string line = fmt::format("{:6.1f} s", seconds(elapsed));
  for (const auto& [name, number] : rows) {
    line += fmt::format("  {} {}", name, cow::tool::with_commas(number));
  }
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void print_table(const Rows& rows) {
  fmt::print("\n");
  for (const auto& [name, number] : rows) {
    fmt::print("{:<16}{:>16}\n", name, cow::tool::with_commas(number));
  }
  fmt::print("\n");
}

void write_json(const std::string& file, const World& world, const Rows& rows,
                std::chrono::steady_clock::duration elapsed) {
  nlohmann::ordered_json document;
  document["seed"] = world.options.seed;
  document["threads"] = world.options.threads;
  document["seconds"] = seconds(elapsed);
  for (const auto& [name, number] : rows) document["figures"][name] = number;
  document["violation"] = world.verdict.sentence();
  std::ofstream out(file);
  out << document.dump(2) << '\n' << std::flush;
  if (!out) throw std::runtime_error("'" + file + "' cannot be written; give --json another file");
}

}  // namespace soak
