#pragma once

// What was measured, where, and how: what docs/bench-format.md says of a result file, in memory.

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace cow::measure {

/// How a row ended. No row has a value that was not measured.
enum class Status { measured, skipped, failed };

/// Numbers of one kind with the name of what they are of.
struct NamedSamples {
  std::string name;
  std::vector<double> values;
};

/// One mechanism under one workload.
struct Row {
  std::string experiment;  ///< "rounds": the word that --only takes
  std::string workload;    ///< "1,000 random pages of 64 MiB": rows of one workload are compared
  std::string mechanism;   ///< "handler": one of measure/mechanisms, or what a comparison says
  nlohmann::ordered_json parameters = nlohmann::ordered_json::object();  ///< what pictures go by
  std::string unit = "ns";  ///< of a sample: ns, bytes, frames, mappings, faults
  std::string sample;       ///< what one sample is, in words: "a snapshot, the stores, its end"
  Status status = Status::measured;
  std::string reason;           ///< why it was skipped or failed: a sentence
  std::vector<double> samples;  ///< every one, in the order in which they were taken
  /// How many samples each turn gave, in their order; empty: each sample is a turn by itself.
  std::vector<std::size_t> turn_sizes;
  std::vector<NamedSamples> parts;  ///< what a sample is made of, where that was measured
  std::vector<std::pair<std::string, double>> counts;  ///< beside it: faults, TLB flushes, pages
  /// Counts that cannot be had here, each with its reason: of the machine and of who measures, and
  /// so no parameter.
  std::vector<std::pair<std::string, std::string>> counters_absent;
  std::vector<std::string> warnings;  ///< why the figure is to be taken with care: sentences
  std::string against;            ///< the mechanism of the same workload that it is compared with
  std::optional<double> at_most;  ///< the ratio to `against` that was to be reached
};

/// One run.
struct Result {
  nlohmann::ordered_json context = nlohmann::ordered_json::object();  ///< measure/environment
  std::string program;                                                ///< "cow bench"
  std::vector<std::string> arguments;                                 ///< as they were given
  bool is_full = false;                                               ///< --full
  bool is_quick = false;    ///< sizes at which figures mean nothing
  bool is_complete = true;  ///< nobody stopped it half-way
  double duration_s = 0;
  std::vector<double> noise_ns;  ///< one stretch of plain work again and again, before all else
  std::vector<std::string> warnings;  ///< of the whole run: sentences
  std::vector<Row> rows;
};

}  // namespace cow::measure
