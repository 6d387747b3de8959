#pragma once

// Every experiment of `cow bench`, in the order of its report.

#include <span>
#include <vector>

#include "measure/experiment.hpp"

namespace cow::measure {

// measure/experiments/clone_size.cpp …: a function each.
[[nodiscard]] std::vector<Comparison> clones_by_size(const Scale& scale);
[[nodiscard]] std::vector<Comparison> share_written(const Scale& scale);
[[nodiscard]] std::vector<Comparison> snapshot_rounds(const Scale& scale);
[[nodiscard]] std::vector<Comparison> rollback_rounds(const Scale& scale);
[[nodiscard]] std::vector<Comparison> threads_and_processes(const Scale& scale);
[[nodiscard]] std::vector<Comparison> granules(const Scale& scale);
[[nodiscard]] std::vector<Comparison> real_file(const Scale& scale);
[[nodiscard]] std::vector<Comparison> recorded_trace(const Scale& scale);
[[nodiscard]] std::vector<Comparison> single_faults(const Scale& scale);
[[nodiscard]] std::vector<Comparison> fault_anatomy(const Scale& scale);

[[nodiscard]] std::span<const Experiment> experiments();

}  // namespace cow::measure
