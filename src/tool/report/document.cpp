#include "tool/report/document.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tool/report/advice.hpp"
#include "tool/report/result_changes.hpp"

namespace cow::tool {
namespace {

using Json = nlohmann::ordered_json;

Json change_json(const measure::Change& change) {
  const measure::Against& against = change.against;
  return {{"name", change.name},
          {"before", change.before},
          {"after", change.after},
          {"unit", change.unit},
          {"ratio", against.ratio},
          {"interval", {against.interval.low, against.interval.high}},
          {"p", against.p},
          // With regard to how many rows are compared.
          {"difference", change.is_slower   ? "more"
                         : change.is_faster ? "less"
                                            : "none"}};
}

void add_labelled(Json& list, std::span<const ResultFile> files, const ResultFile& file,
                  const std::vector<std::string>& sentences) {
  for (const std::string& sentence : sentences) {
    list.push_back(files.size() < 2 ? sentence : fmt::format("{}: {}", file.label, sentence));
  }
}

std::string title_of(std::span<const ResultFile> files) {
  std::string title;
  for (const ResultFile& file : files) title += (title.empty() ? "" : " \u00b7 ") + file.label;
  return title;
}

}  // namespace

Json document_of(std::span<const ResultFile> files, const std::vector<Picture>& pictures) {
  Comparisons comparisons = compare_results(files);
  Json advice = Json::array();
  Json detailed = Json::array();
  Json results = Json::array();
  for (const ResultFile& file : files) {
    const Advice all = advice_of(file);
    add_labelled(advice, files, file, all.general);
    add_labelled(detailed, files, file, all.detailed);
    results.push_back({{"label", file.label}, {"document", file.document}});
  }
  Json changes = Json::array();
  Json missing = Json::array();
  if (comparisons.check.has_value()) {
    for (const measure::Change& change : comparisons.check->changes) {
      // A ratio to a median of 0 is no number, and JSON has none for it.
      if (change.against.has_ratio()) {
        changes.push_back(change_json(change));
      } else {
        comparisons.notes.push_back(fmt::format("{}: there is no ratio of {} to {}", change.name,
                                                change.after, change.before));
      }
    }
    missing = comparisons.check->missing;
  }
  Json drawn = Json::array();
  for (const Picture& picture : pictures) drawn.push_back(picture_json(picture));
  return {{"kind", "results"},           {"title", title_of(files)},   {"advice", advice},
          {"detailed_advice", detailed}, {"notes", comparisons.notes}, {"results", results},
          {"pictures", drawn},           {"changes", changes},         {"missing", missing}};
}

}  // namespace cow::tool
