#pragma once

// How far figures of this machine can be trusted: seen before anything else is measured, and again
// at the end.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "measure/result.hpp"

namespace cow::measure {

struct Noise {
  std::vector<double> samples_ns;  ///< a stretch of plain work, again and again; none if it failed
  std::optional<double> mhz;       ///< the processor's frequency after that
  std::optional<int> processor;    ///< that it ran on; none if it could not be pinned
};

/// Takes a tenth of a second, in a process of its own as the sides are.
[[nodiscard]] Noise measure_noise(const std::function<bool()>& is_stopped);

/// What speaks against all figures of a run: the build, the load, as it was at the start.
[[nodiscard]] std::vector<std::string> warnings_before(const Noise& noise,
                                                       std::optional<double> load, bool is_quick);

/// What has changed since.
[[nodiscard]] std::vector<std::string> warnings_after(const Noise& before, const Noise& after);

/// What speaks against the figure of one row.
[[nodiscard]] std::vector<std::string> warnings_of(const Row& row);

}  // namespace cow::measure
