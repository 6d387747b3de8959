#pragma once

// Results that nobody measured, for tests of what reads results.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "measure/figures/result_json.hpp"
#include "tool/report/result_file.hpp"

namespace support {

/// Eleven samples around their median, within 2 % of it.
inline std::vector<double> samples_around(double median) {
  std::vector<double> samples;
  for (const int i : {3, 8, 0, 5, 10, 1, 6, 2, 9, 4, 7}) {
    samples.push_back(median * (1 + 0.02 * (i - 5) / 5));
  }
  return samples;
}

class MadeResult {
 public:
  using Json = nlohmann::ordered_json;

  MadeResult() {
    result_.program = "cow bench";
    result_.context = {{"date", "2026-11-29T15:00:00+00:00"}};
  }

  cow::measure::Row& add(const std::string& experiment, const std::string& workload,
                         const std::string& mechanism, double median, Json parameters,
                         const std::string& against = "") {
    cow::measure::Row row;
    row.experiment = experiment;
    row.workload = workload;
    row.mechanism = mechanism;
    if (!parameters.is_null()) row.parameters = std::move(parameters);
    row.sample = "what was done";
    row.samples = samples_around(median);
    row.against = against;
    result_.rows.push_back(std::move(row));
    return result_.rows.back();
  }

  cow::measure::Row& skip(const std::string& experiment, const std::string& workload,
                          const std::string& mechanism, Json parameters) {
    cow::measure::Row& row = add(experiment, workload, mechanism, 1, std::move(parameters));
    row.samples.clear();
    row.status = cow::measure::Status::skipped;
    row.reason = "This kernel is too old.";
    return row;
  }

  [[nodiscard]] cow::measure::Result& result() { return result_; }

  [[nodiscard]] cow::tool::ResultFile file(const std::string& path = "made.json") const {
    return cow::tool::result_file(path, cow::measure::to_json(result_));
  }

 private:
  cow::measure::Result result_;
};

/// Lazy copies that cost 80 times the share, in ms, and an eager one that costs 8: equal at 10 %.
inline MadeResult shares_that_cross_at_a_tenth() {
  MadeResult made;
  for (const double share : {0.001, 0.01, 0.03, 0.5, 1.0}) {
    const std::string workload = std::to_string(share) + " of 64 MiB, random";
    const MadeResult::Json parameters = {
        {"bytes", std::size_t{64} << 20}, {"share", share}, {"pattern", "random"}};
    made.add("share", workload, "handler", 80e6 * share, parameters, "eager");
    made.add("share", workload, "eager", 8e6, parameters);
    made.skip("share", workload, "kernel", parameters);
  }
  return made;
}

}  // namespace support
