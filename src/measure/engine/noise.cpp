#include "measure/engine/noise.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "measure/engine/side_process.hpp"
#include "measure/figures/statistics.hpp"
#include "measure/figures/turns.hpp"
#include "measure/host/build.hpp"
#include "measure/host/clock.hpp"
#include "measure/host/machine_state.hpp"
#include "measure/host/pinning.hpp"

namespace cow::measure {
namespace {

constexpr std::size_t stretches = 100;
constexpr double limit_s = 20;

constexpr double much_spread = 0.05;    ///< of the median, between the 10th and 90th percentile
constexpr double much_change = 0.05;    ///< of the median, or the frequency, over the run
constexpr double wide_interval = 0.25;  ///< of the median

// About a millisecond: arithmetic whose steps wait for each other, and memory that fits a cache.
double stretch_ns(std::vector<std::uint64_t>& memory) {
  const std::uint64_t start = now_ns();
  std::uint64_t state = 88172645463325252U;
  for (int i = 0; i < 200'000; ++i) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    memory[state % memory.size()] += state;
  }
  // The sum is looked at, so that the work cannot be left out.
  volatile std::uint64_t seen = memory[state % memory.size()];
  static_cast<void>(seen);
  return elapsed_ns(start);
}

Side plain_work() {
  return {"plain work", [] {
            std::vector<std::uint64_t> memory(std::size_t{16} << 10U);
            return [memory](std::uint64_t) mutable {
              TurnResult result;
              for (std::size_t i = 0; i < stretches; ++i) {
                result.samples.push_back(stretch_ns(memory));
              }
              return result;
            };
          }};
}

std::vector<double> samples_on(std::optional<int> processor,
                               const std::function<bool()>& is_stopped) {
  SideProcess side(plain_work(), {processor, limit_s, is_stopped});
  if (side.prepare().state != Outcome::State::done) return {};
  if (side.turn(0).state != Outcome::State::done) return {};
  return side.turn(1).result.samples;
}

// What is compiled in, or left out, that a release is not measured with.
std::vector<std::string> what_slows_this_build() {
  const nlohmann::ordered_json how = build();
  std::vector<std::string> reasons;
  if (!how.value("optimised", true)) reasons.emplace_back("built without optimisation");
  if (how.value("assertions", false)) reasons.emplace_back("built with assertions");
  if (how.value("checks", false)) reasons.emplace_back("built with COW_CHECKS");
  const std::string sanitizers = how.value("sanitizers", "none");
  if (sanitizers != "none") reasons.push_back("built with sanitizers (" + sanitizers + ")");
  return reasons;
}

}  // namespace

Noise measure_noise(const std::function<bool()>& is_stopped) {
  Noise noise;
  noise.processor = processor_to_pin_to();
  if (noise.processor.has_value()) noise.samples_ns = samples_on(noise.processor, is_stopped);
  if (noise.samples_ns.empty()) {
    noise.processor.reset();
    noise.samples_ns = samples_on(std::nullopt, is_stopped);
  }
  if (noise.processor.has_value()) noise.mhz = frequency_mhz(*noise.processor);
  return noise;
}

std::vector<std::string> warnings_before(const Noise& noise, std::optional<double> load,
                                         bool is_quick) {
  std::vector<std::string> warnings;
  if (is_quick) {
    warnings.emplace_back("COW_BENCH_QUICK is set: sizes are tiny, and the figures mean nothing");
  }
  for (std::string& what : what_slows_this_build()) {
    warnings.push_back(fmt::format("{}: these are not the figures of a release", what));
  }
  if (noise.samples_ns.empty()) {
    warnings.emplace_back("plain work could not be measured: how noisy the machine is, is unknown");
  } else if (spread(noise.samples_ns) > much_spread) {
    warnings.push_back(fmt::format(
        "the same plain work takes {:.0f} % longer at times: other work or the processor's "
        "frequency gets between; smaller differences are not to be trusted",
        spread(noise.samples_ns) * 100));
  }
  if (!noise.processor.has_value()) {
    warnings.emplace_back("processes could not be pinned to a processor: they moved between them");
  }
  if (load.has_value() && *load > 1) {
    warnings.push_back(fmt::format(
        "before the run, {:.1f} threads wanted to run on average (load of the last minute, with "
        "what you ran then yourself): if other work goes on, end it, and measure again",
        *load));
  }
  return warnings;
}

std::vector<std::string> warnings_after(const Noise& before, const Noise& after) {
  std::vector<std::string> warnings;
  if (before.mhz.has_value() && after.mhz.has_value() &&
      std::abs(*after.mhz / *before.mhz - 1) > much_change) {
    warnings.push_back(
        fmt::format("the processor's frequency was {:.0f} MHz before the run and {:.0f} MHz after "
                    "it: figures taken far apart are not to be compared",
                    *before.mhz, *after.mhz));
  }
  if (before.samples_ns.empty() || after.samples_ns.empty()) return warnings;
  const double change = median(after.samples_ns) / median(before.samples_ns) - 1;
  if (std::abs(change) > much_change) {
    warnings.push_back(
        fmt::format("the same plain work took {:.0f} % {} after the run than before it: figures "
                    "taken far apart are not to be compared",
                    std::abs(change) * 100, change > 0 ? "longer" : "less"));
  }
  return warnings;
}

std::vector<std::string> warnings_of(const Row& row) {
  if (row.status != Status::measured || row.samples.empty()) return {};
  if (!are_enough(row, row)) {
    return {fmt::format("{}: too few to tell a difference from chance", count_words(row))};
  }
  const Interval interval = median_interval(row);
  const double middle = median(row.samples);
  if (interval.high - interval.low > wide_interval * middle && middle > 0) {
    return {fmt::format("uncertain: the interval is {:.0f} % of the median",
                        (interval.high - interval.low) / middle * 100)};
  }
  return {};
}

}  // namespace cow::measure
