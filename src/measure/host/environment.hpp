#pragma once

// Where something was measured: what a reader needs to judge the figures, and to tell two machines
// apart. What cannot be read here is absent, and no value stands for it.

#include <nlohmann/json.hpp>

namespace cow::measure {

/// The object "environment" of docs/bench-format.md: name to text, number, or an object of these.
/// Of two runs on one machine these may differ: load, available_bytes, frequency.now_mhz.
[[nodiscard]] nlohmann::ordered_json environment();

/// What Google Benchmark writes of a machine, under its names: date, host_name, num_cpus,
/// mhz_per_cpu, cpu_scaling_enabled, load_avg, library_build_type.
[[nodiscard]] nlohmann::ordered_json google_context();

}  // namespace cow::measure
