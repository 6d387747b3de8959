#include "tool/report/choice.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "measure/figures/turns.hpp"
#include "tool/report/curves.hpp"
#include "tool/report/mechanism_names.hpp"
#include "tool/report/result_tables.hpp"

namespace cow::tool {
namespace {

using measure::Difference;

const ResultRow* least_of(const ChoiceRows& rows) {
  const auto least = std::min_element(
      rows.begin(), rows.end(),
      [](const ResultRow* a, const ResultRow* b) { return a->median < b->median; });
  return least == rows.end() ? nullptr : *least;
}

void add_tracker(Choice& choice, const ResultRow& best, const ChoiceRows& trackers) {
  const ResultRow* const tracker = least_of(trackers);
  if (tracker == nullptr || best.median <= 0 || !measure::are_enough(tracker->row, best.row))
    return;
  if (difference_of(*tracker, best) != Difference::less) return;
  choice.tracker = tracker->row.mechanism;
  choice.tracker_ratio = tracker->median / best.median;
}

}  // namespace

bool is_tracker(std::string_view mechanism) {
  return mechanism.starts_with("uffd-") || mechanism == "mprotect";
}

bool is_answer(std::string_view experiment, std::string_view mechanism) {
  if (is_tracker(mechanism)) return false;
  const bool is_private = mechanism == "private" || mechanism == "boost-private";
  // A snapshot of a private mapping cannot be taken again after stores to it.
  if (is_private && (experiment == "clone" || experiment == "rounds")) return false;
  // Its copy is made before the stores that are measured.
  return !(mechanism == "eager" && experiment == "threads");
}

std::string advised_title(const std::string& mechanism) {
  std::string title = mechanism_title(mechanism);
  if (mechanism == "eager") return title + " (a memcpy into memory that is kept and warm)";
  if (mechanism == "private" || mechanism == "boost-private") {
    return title + " (over a file, and no snapshot can be taken of it)";
  }
  return title;
}

std::optional<Choice> choice_of(std::string_view experiment, const ChoiceRows& all) {
  ChoiceRows rows;
  ChoiceRows trackers;
  for (const ResultRow* row : all) {
    if (is_answer(experiment, row->row.mechanism)) rows.push_back(row);
    // A tracker's protection alone is no copy yet: its price comes with the stores.
    if (is_tracker(row->row.mechanism) && experiment != "clone") trackers.push_back(row);
  }
  if (rows.size() < 2) return std::nullopt;
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ResultRow* a, const ResultRow* b) { return a->median < b->median; });
  const ResultRow& best = *rows.front();
  Choice choice;
  for (const ResultRow* row : rows) {
    if (row != &best && !measure::are_enough(best.row, row->row)) choice.is_too_few = true;
  }
  if (choice.is_too_few) return choice;
  for (const ResultRow* row : rows) {
    if (row == &best || difference_of(best, *row) != Difference::less) {
      choice.mechanisms.push_back(row->row.mechanism);
    } else if (choice.base.empty() && row->median > 0) {
      choice.base = row->row.mechanism;
      choice.ratio = best.median / row->median;
    }
  }
  std::sort(choice.mechanisms.begin(), choice.mechanisms.end(),
            [](const std::string& a, const std::string& b) {
              return mechanism_order(a) < mechanism_order(b);
            });
  if (best.against.has_value() && best.against->difference == Difference::less) {
    choice.base = best.against->mechanism;
    choice.ratio = best.against->ratio;
    choice.is_base_against = true;
  }
  add_tracker(choice, best, trackers);
  return choice;
}

std::string titles_text(const std::vector<std::string>& mechanisms) {
  std::vector<std::string> titles(mechanisms.size());
  std::transform(mechanisms.begin(), mechanisms.end(), titles.begin(), advised_title);
  if (titles.empty()) return "";
  const std::string last = titles.back();
  titles.pop_back();
  return titles.empty() ? last : fmt::format("{} and {}", fmt::join(titles, "; "), last);
}

std::string ratios_text(double low, double high) {
  const std::string first = ratio_words(low);
  const std::string last = ratio_words(high);
  return first == last ? first : first + " to " + last;
}

std::string choice_words(const Choice& choice, double least, double most) {
  if (choice.is_too_few) return "too few samples to tell apart";
  const bool are_more = choice.mechanisms.size() > 1;
  std::string words = are_more ? "no difference seen between " + titles_text(choice.mechanisms)
                               : "take " + titles_text(choice.mechanisms);
  if (!choice.base.empty()) {
    words +=
        fmt::format("{} {} of {}{}", are_more ? "; the least takes" : ":", ratios_text(least, most),
                    mechanism_title(choice.base), choice.is_base_against ? "" : ", the next best");
  }
  if (!choice.tracker.empty()) {
    words += fmt::format("; for comparison, {}, a tracker that one has to write oneself, takes "
                         "still less",
                         mechanism_title(choice.tracker));
  }
  return words;
}

}  // namespace cow::tool
