#pragma once

// The engine: every comparison of the chosen experiments, one after the other.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "measure/engine/plan.hpp"
#include "measure/engine/side_nursery.hpp"
#include "measure/experiment.hpp"
#include "measure/result.hpp"

namespace cow::measure {

/// How far a run is.
struct Progress {
  double done = 0;    ///< 0 to 1
  double left_s = 0;  ///< as far as can be told
  std::string_view experiment;
  std::string_view workload;
};

struct RunOptions {
  double budget_s = 50;    ///< for all comparisons; 0: each takes its least turns, however long
  double turn_s = 60;      ///< a turn that takes longer has failed
  std::uint64_t seed = 1;  ///< of the order in which sides take turns
  std::function<void(const Progress&)> progress{};  ///< between turns
  SideNursery* nursery = nullptr;      ///< of all plans; none: it is made when the run begins
  std::function<bool()> is_stopped{};  ///< asked often; what was measured until then is kept
};

/// Of `all` comparisons `left` are not measured yet: what the next one may take. They share what is
/// left, but none gets less than its part of the whole, whatever the others took.
[[nodiscard]] double share_s(double budget_s, double used_s, std::size_t all, std::size_t left);

/// Measures the noise, then each comparison, in order, the sides of each in processes of their own.
/// When it returns they have all ended. Program, arguments and environment are the caller's to add
/// to the result.
[[nodiscard]] Result run(std::span<const Plan> plans, const Scale& scale,
                         const RunOptions& options);
[[nodiscard]] Result run(std::span<const Experiment> chosen, const Scale& scale,
                         const RunOptions& options);

}  // namespace cow::measure
