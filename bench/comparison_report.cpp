#include "comparison_report.hpp"

#include <fmt/format.h>

#include <cmath>

#include "figures.hpp"
#include "machine.hpp"
#include "measure/figures/rank_test.hpp"
#include "measure/figures/statistics.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

namespace measure = cow::measure;

std::string value_text(Unit unit, double value) {
  switch (unit) {
    case Unit::nanoseconds: return time_text(value);
    case Unit::frames: return fmt::format("{:.0f} frames", value);
    case Unit::bytes: return fmt::format("{:.1f} MiB", value / static_cast<double>(mib));
    case Unit::mappings: return fmt::format("{:.0f} mappings", value);
  }
  return {};
}

std::string target_text(const Row& row) {
  if (row.at_most) {
    return "≤ " + value_text(row.unit, *row.at_most);
  }
  if (!row.most) {
    return "–";
  }
  const double most = *row.most;
  const bool is_one_of_many = most < 0.5 && std::abs(1 / most - std::round(1 / most)) < 1e-6;
  return is_one_of_many ? "≤ 1/" + fmt::format("{:.0f}", 1 / most)
                        : "≤ " + fmt::format("{:.3g}", most);
}

std::string verdict(const Row& row) {
  if (!row.left_out.empty()) {
    return "left out";
  }
  if (!row.has_reach() || quick()) {
    return "–";
  }
  return row.is_met() ? "met" : "**not met**";
}

bool is_too_few(const Row& row) {
  const std::size_t ours = row.our_samples.size();
  const std::size_t theirs = row.their_samples.size();
  return row.left_out.empty() && ours + theirs > 2 && !measure::are_enough(ours, theirs);
}

/// The ratio of the medians with the interval that holds it with 95 %, or that there is nothing to
/// see. Of what was counted once there is the ratio alone.
std::string ratio_cell(const Row& row) {
  if (!row.left_out.empty()) return "–";
  if (row.our_samples.size() == 0 || row.their_samples.size() == 0) return "no sample";
  const measure::Against against =
      measure::compare(row.our_samples.values(), row.their_samples.values());
  if (!against.has_ratio()) return "no ratio";
  const std::string ratio = ratio_text(against.ratio);
  if (row.our_samples.size() == 1 && row.their_samples.size() == 1) return ratio;
  const std::string interval =
      fmt::format("{} to {}", ratio_text(against.interval.low), ratio_text(against.interval.high));
  return against.difference == measure::Difference::none
             ? fmt::format("no difference seen ({}, {})", ratio, interval)
             : fmt::format("{} ({})", ratio, interval);
}

std::string as_table_row(const Row& row) {
  const auto side = [&row](const std::string& what, const Samples& samples) {
    return " | " + what +
           (row.left_out.empty() ? ": " + value_text(row.unit, samples.median()) : "");
  };
  return "| " + row.what + side(row.ours, row.our_samples) + side(row.theirs, row.their_samples) +
         " | " + ratio_cell(row) + " | " + target_text(row) + " | " + verdict(row) + " |\n";
}

}  // namespace

std::string as_markdown(const std::vector<Group>& groups,
                        const std::vector<std::string>& warnings) {
  std::string text;
  for (const auto& [key, value] : describe_machine()) {
    text.append("- ").append(key).append(": ").append(value).append("\n");
  }
  if (quick()) {
    text += "- COW_BENCH_QUICK is set: the sizes are tiny, whatever the rows say\n";
  }
  for (const std::string& warning : warnings) text.append("- ").append(warning).append("\n");
  text += "\n| what | libcow | against | ratio of medians (its 95 % interval) | reach | |\n"
          "|---|---|---|---|---|---|\n";
  std::string parts;
  std::string notes;
  for (const Group& group : groups) {
    for (const Row& row : group.rows) {
      text += as_table_row(row);
      if (!row.note.empty()) {
        notes += "\n" + row.what + ": " + row.note + ".\n";
      }
      if (is_too_few(row)) {
        notes +=
            fmt::format("\n{}, against {}: too few samples to tell apart: {} and {}.\n", row.what,
                        row.theirs, row.our_samples.size(), row.their_samples.size());
      }
      if (!row.left_out.empty()) {
        notes += "\n" + row.what + ": left out, since " + row.left_out + ".\n";
      }
    }
    for (const auto& [name, ns] : group.fault_parts_ns) {
      if (!ns.empty()) parts += "| " + name + " | " + time_text(measure::median(ns)) + " |\n";
    }
  }
  if (!parts.empty()) {
    text += "\nParts of one write fault at random pages (medians, recorded):\n\n| part | "
            "|\n|---|---|\n" +
            parts;
  }
  return text + notes;
}

std::string as_text(const measure::Check& check) {
  std::string text;
  for (const std::string& difference : check.environment_differences) {
    text += "! " + difference + '\n';
  }
  std::size_t same = 0;
  for (const measure::Change& change : check.changes) {
    if (!change.is_slower && !change.is_faster) {
      ++same;
      continue;
    }
    const bool is_time = change.unit == "ns";
    text += fmt::format(
        "{}: {}: {:.6g} {} before, {:.6g} now, p {:.2g}\n",
        change.is_slower ? (is_time ? "slower" : "more") : (is_time ? "faster" : "less"),
        change.name, change.before, change.unit, change.after, change.against.p);
  }
  for (const std::string& name : check.missing) text += "missing: " + name + '\n';
  for (const std::string& note : check.notes) text += "! " + note + '\n';
  return text + fmt::format("{} rows did not change beyond noise; {}\n", same, check.limit_words());
}

}  // namespace cow_bench
