#include "comparison_report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "figures.hpp"
#include "machine.hpp"
#include "session.hpp"

namespace cow_bench {

namespace {

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

const char* name_of(Unit unit) {
  switch (unit) {
    case Unit::nanoseconds: return "ns";
    case Unit::frames: return "frames";
    case Unit::bytes: return "bytes";
    case Unit::mappings: return "mappings";
  }
  return "";
}

nlohmann::ordered_json side_as_json(const std::string& what, const Samples& samples) {
  return {{"what", what},
          {"median", samples.median()},
          {"p25", samples.percentile(25)},
          {"p75", samples.percentile(75)},
          {"samples", samples.values()}};
}

nlohmann::ordered_json row_as_json(const Row& row) {
  if (!row.left_out.empty()) {
    return {{"what", row.what}, {"left_out", row.left_out}};
  }
  nlohmann::ordered_json json = {{"what", row.what},
                                 {"unit", name_of(row.unit)},
                                 {"ours", side_as_json(row.ours, row.our_samples)},
                                 {"theirs", side_as_json(row.theirs, row.their_samples)},
                                 {"ratio", row.ratio()}};
  if (row.most) {
    json["most"] = *row.most;
  }
  if (row.at_most) {
    json["at_most"] = *row.at_most;
  }
  if (row.has_reach() && !quick()) {
    json["met"] = row.is_met();
  }
  if (!row.note.empty()) {
    json["note"] = row.note;
  }
  return json;
}

std::string as_table_row(const Row& row) {
  const auto side = [&row](const std::string& what, const Samples& samples) {
    return " | " + what +
           (row.left_out.empty() ? ": " + value_text(row.unit, samples.median()) : "");
  };
  return "| " + row.what + side(row.ours, row.our_samples) + side(row.theirs, row.their_samples) +
         " | " + (row.left_out.empty() ? ratio_text(row.ratio()) : "–") + " | " + target_text(row) +
         " | " + verdict(row) + " |\n";
}

}  // namespace

std::string as_markdown(const std::vector<Group>& groups) {
  std::string text;
  for (const auto& [key, value] : describe_machine()) {
    text.append("- ").append(key).append(": ").append(value).append("\n");
  }
  if (quick()) {
    text += "- COW_BENCH_QUICK is set: the sizes are tiny, whatever the rows say\n";
  }
  text += "\n| what | libcow | against | ratio | reach | |\n"
          "|---|---|---|---|---|---|\n";
  std::string parts;
  std::string notes;
  for (const Group& group : groups) {
    for (const Row& row : group.rows) {
      text += as_table_row(row);
      if (!row.note.empty()) {
        notes += "\n" + row.what + ": " + row.note + ".\n";
      }
      if (!row.left_out.empty()) {
        notes += "\n" + row.what + ": left out, since " + row.left_out + ".\n";
      }
    }
    for (const auto& [name, ns] : group.fault_parts_ns) {
      parts += "| " + name + " | " + time_text(ns) + " |\n";
    }
  }
  if (!parts.empty()) {
    text += "\nParts of one write fault at random pages (medians, recorded):\n\n| part | "
            "|\n|---|---|\n" +
            parts;
  }
  return text + notes;
}

std::string as_json(const std::vector<Group>& groups) {
  nlohmann::ordered_json json;
  for (const auto& [key, value] : describe_machine()) {
    json["machine"][key] = value;
  }
  json["quick"] = quick();
  json["rows"] = nlohmann::ordered_json::array();
  for (const Group& group : groups) {
    for (const Row& row : group.rows) {
      json["rows"].push_back(row_as_json(row));
    }
    for (const auto& [name, ns] : group.fault_parts_ns) {
      json["fault_parts_ns"][name] = ns;
    }
  }
  return json.dump(2) + "\n";
}

}  // namespace cow_bench
