#include "tool/report/result_changes.hpp"

#include <fmt/format.h>

#include "tool/quantity.hpp"
#include "tool/report/result_tables.hpp"

namespace cow::tool {

Comparisons compare_results(std::span<const ResultFile> files) {
  Comparisons all;
  for (std::size_t i = 1; i < files.size(); ++i) {
    const measure::Check check = measure::check(files[0].result, files[i].result);
    for (const std::string& difference : check.environment_differences) {
      all.notes.push_back(fmt::format("{} was measured elsewhere, or otherwise, than {}: {}",
                                      files[i].label, files[0].label, difference));
    }
    if (files.size() > 2) continue;
    all.notes.insert(all.notes.end(), check.notes.begin(), check.notes.end());
    all.check = check;
  }
  if (files.size() > 2) {
    all.notes.emplace_back("What changed is said of two results; these are more.");
  }
  for (const ResultFile& file : files) {
    for (const std::string& note : notes_of(file)) {
      all.notes.push_back(files.size() < 2 ? note : fmt::format("{}: {}", file.label, note));
    }
  }
  return all;
}

std::string change_words(const measure::Change& change) {
  if (change.is_slower) return change.unit == "ns" ? "slower" : "more";
  if (change.is_faster) return change.unit == "ns" ? "faster" : "less";
  return "no difference seen";
}

}  // namespace cow::tool
