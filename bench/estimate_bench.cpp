// What Region::estimate, estimate_restore and Snapshot::estimate_drop say beside what the calls
// then take: the median of both, and how far off the estimates were, in the middle and at worst.

#include <cow/cow.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "session.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Sample {
  double estimated_ns;
  double measured_ns;
};

template <typename Call>
Sample measure(std::chrono::nanoseconds estimated, const Call& call) {
  const Clock::time_point begun = Clock::now();
  call();
  const std::chrono::nanoseconds took = Clock::now() - begun;
  return {static_cast<double>(estimated.count()), static_cast<double>(took.count())};
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

void print(const char* mechanism, const char* call, std::size_t stores,
           const std::vector<Sample>& samples) {
  std::vector<double> estimated;
  std::vector<double> measured;
  std::vector<double> off;  // how many times too high or too low
  for (const Sample& sample : samples) {
    estimated.push_back(sample.estimated_ns);
    measured.push_back(sample.measured_ns);
    const double ratio = sample.measured_ns / sample.estimated_ns;
    off.push_back(std::max(ratio, 1 / ratio));
  }
  fmt::print("| {} | {} | {} | {:.1f} | {:.1f} | {:.2f} | {:.1f} |\n", mechanism, call, stores,
             quantile(estimated, 0.5) / 1e3, quantile(measured, 0.5) / 1e3, quantile(off, 0.5),
             quantile(off, 1));
}

void run(cow::Mechanism mechanism, const char* name, std::size_t stores, std::size_t rounds) {
  constexpr std::size_t kBytes = std::size_t{256} << 20;
  cow::RegionOptions options;
  options.mechanism = mechanism;
  cow::Region region = cow::Region::create(kBytes, options);
  const std::size_t page = region.page_bytes();
  for (std::size_t at = 0; at < kBytes; at += page) region.data()[at] = std::byte{1};
  const cow::Snapshot first = region.snapshot();
  std::mt19937_64 random(
      42);  // NOLINT(bugprone-random-generator-seed): the same stores in each run
  const auto store = [&] {
    for (std::size_t i = 0; i < stores; ++i) {
      region.data()[random() % (kBytes / page) * page] ^= std::byte{1};
    }
  };
  std::vector<Sample> snapshots;
  std::vector<Sample> clones;
  std::vector<Sample> restores;
  std::vector<Sample> drops;
  for (std::size_t round = 0; round < rounds; ++round) {
    store();
    cow::Snapshot taken;
    snapshots.push_back(measure(region.estimate().snapshot, [&] { taken = region.snapshot(); }));
    store();
    cow::Region clone;
    clones.push_back(measure(region.estimate().clone, [&] { clone = region.clone(); }));
    clone = {};
    restores.push_back(measure(region.estimate_restore(first), [&] { region.restore(first); }));
    drops.push_back(measure(taken.estimate_drop(), [&] { taken = {}; }));
  }
  print(name, "snapshot", stores, snapshots);
  print(name, "clone", stores, clones);
  print(name, "restore", stores, restores);
  print(name, "drop", stores, drops);
}

}  // namespace

int main() {
  const std::size_t rounds = cow_bench::full_or_quick<std::size_t>(40, 5);
  fmt::print(
      "| mechanism | call | random stores before | estimated, median us | taken, median us | "
      "off by, median | off by, worst |\n|---|---|---|---|---|---|---|\n");
  try {
    for (const std::size_t stores : {std::size_t{1}, std::size_t{100}, std::size_t{3000}}) {
      run(cow::Mechanism::handler, "handler", stores, rounds);
      try {
        run(cow::Mechanism::kernel, "kernel", stores, rounds);
      } catch (const std::system_error& error) {
        fmt::print("not with the other mechanism here: {}\n", error.what());
      }
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "estimate_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
