#include "comparison_result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "measure/engine/noise.hpp"
#include "measure/host/commit.hpp"
#include "measure/host/environment.hpp"
#include "measure/host/machine_state.hpp"
#include "session.hpp"
#include "turns.hpp"

namespace cow_bench {

namespace {

namespace measure = cow::measure;

measure::Row side_of(std::string_view group, const Row& row, const std::string& mechanism,
                     const Samples& samples) {
  measure::Row side;
  side.experiment = group;
  side.workload = row.what + ", against: " + row.theirs;
  if (row.unit != Unit::nanoseconds) side.workload += ", in " + name_of(row.unit);
  side.mechanism = mechanism.empty() ? "libcow" : mechanism;
  side.unit = name_of(row.unit);
  side.sample = "a turn";
  side.samples = samples.values();
  if (!row.left_out.empty()) {
    side.status = measure::Status::skipped;
    side.reason = "It was left out, since " + row.left_out + ".";
    side.samples.clear();
  }
  return side;
}

bool has_name(const measure::Row& a, const measure::Row& b) {
  return a.workload == b.workload && a.mechanism == b.mechanism;
}

/// Another name for the workload where there is such a row already, of other samples.
void name_apart(const std::vector<measure::Row>& rows, measure::Row& ours, measure::Row& theirs) {
  const auto is_taken = [&] {
    return std::ranges::any_of(rows, [&](const measure::Row& row) {
      return has_name(row, ours) || (has_name(row, theirs) && row.samples != theirs.samples);
    });
  };
  const std::string workload = ours.workload;
  const std::string by_ours = workload + ", of: " + ours.mechanism;
  for (int count = 1; is_taken(); ++count) {
    ours.workload = count == 1 ? by_ours : fmt::format("{} ({})", by_ours, count);
    theirs.workload = ours.workload;
  }
}

}  // namespace

std::string name_of(Unit unit) {
  switch (unit) {
    case Unit::nanoseconds: return "ns";
    case Unit::frames: return "frames";
    case Unit::bytes: return "bytes";
    case Unit::mappings: return "mappings";
  }
  return {};
}

std::vector<measure::Row> as_rows(std::string_view group, const Group& measured) {
  std::vector<measure::Row> rows;
  for (const Row& row : measured.rows) {
    measure::Row ours = side_of(group, row, row.ours, row.our_samples);
    measure::Row theirs = side_of(group, row, row.theirs, row.their_samples);
    if (theirs.mechanism == ours.mechanism) theirs.mechanism += " (against)";
    ours.against = theirs.mechanism;
    if (!quick()) ours.at_most = row.most;
    if (row.at_most) ours.parameters["median_at_most"] = *row.at_most;
    if (!row.note.empty()) ours.warnings.push_back(row.note);
    if (rows.empty()) ours.parts = measured.fault_parts_ns;
    name_apart(rows, ours, theirs);
    // Several sides of ours beside one of theirs are one workload, which has theirs once.
    const bool is_there = std::ranges::any_of(
        rows, [&](const measure::Row& other) { return has_name(other, theirs); });
    rows.push_back(std::move(ours));
    if (!is_there) rows.push_back(std::move(theirs));
  }
  return rows;
}

measure::Row failed_row(std::string_view group, std::string_view reason) {
  measure::Row row;
  row.experiment = group;
  row.workload = "all of it";
  row.mechanism = "libcow";
  row.status = measure::Status::failed;
  row.reason = reason;
  return row;
}

measure::Result new_result(std::string_view program, const std::vector<std::string>& arguments) {
  measure::Result result;
  result.context = measure::google_context();
  result.context["cow_bench"]["libcow"] = measure::libcow_commit();
  result.context["cow_bench"]["environment"] = measure::environment();
  result.program = program;
  result.arguments = arguments;
  result.is_quick = quick();
  result.is_complete = false;
  const std::optional<double> load = measure::load_of_a_minute();
  const measure::Noise noise = measure::measure_noise([] { return false; });
  result.noise_ns = noise.samples_ns;
  keep_sides_on(noise.processor);
  if (noise.processor) result.context["cow_bench"]["pinned_to"] = *noise.processor;
  result.warnings = measure::warnings_before(noise, load, quick());
  return result;
}

}  // namespace cow_bench
