#include "tool/report/share_words.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "measure/figures/turns.hpp"
#include "tool/report/choice.hpp"
#include "tool/report/mechanism_names.hpp"

namespace cow::tool {
namespace {

using measure::Difference;

/// One mechanism over all patterns: where it stops to be cheaper than a copy, and what is so of the
/// patterns in which it does not.
struct LazyShares {
  bool is_measured = false;
  std::size_t turns = 0;
  double low = 0;
  double high = 0;
  double least = 0;
  double most = 0;
  SharesSeen others;

  void add(const Curve& lazy, const Curve& eager) {
    is_measured = true;
    const std::vector<Crossover> found = crossovers(lazy, eager);
    if (found.size() != 1 || !found.front().first_is_less_before) {
      others.add(lazy, eager);
      return;
    }
    const Crossover& turn = found.front();
    low = turns == 0 ? turn.low : std::min(low, turn.low);
    high = std::max(high, turn.high);
    least = turns == 0 ? turn.x : std::min(least, turn.x);
    most = std::max(most, turn.x);
    ++turns;
  }
};

LazyShares shares_of(const std::vector<CurveGroup>& groups, std::string_view mechanism) {
  LazyShares shares;
  for (const CurveGroup& group : groups) {
    const Curve* const lazy = curve_of(group, mechanism);
    const Curve* const eager = curve_of(group, "eager");
    if (group.unit == "ns" && lazy != nullptr && eager != nullptr) shares.add(*lazy, *eager);
  }
  return shares;
}

std::string turn_words(const LinePlan& plan, const LazyShares& shares) {
  const std::string least = place_words(plan, shares.least);
  const std::string most = place_words(plan, shares.most);
  std::string words = fmt::format(
      "is cheaper than {} up to a share of the pages between {} and {} ({}), and dearer above it",
      advised_title("eager"), place_words(plan, shares.low), place_words(plan, shares.high),
      least == most ? "about " + least : fmt::format("about {} to {} by pattern", least, most));
  const std::string others = everywhere_words(plan, shares.others);
  if (!others.empty()) words += fmt::format("; with other patterns of stores it {}", others);
  return words;
}

}  // namespace

void SharesSeen::add(const Curve& lazy, const Curve& eager) {
  for (const CurvePoint& ours : lazy.points) {
    for (const CurvePoint& theirs : eager.points) {
      if (ours.x != theirs.x || !measure::are_enough(ours.row->row, theirs.row->row)) continue;
      const Difference difference = difference_of(*ours.row, *theirs.row);
      less += difference == Difference::less ? 1 : 0;
      more += difference == Difference::more ? 1 : 0;
      first = all == 0 ? ours.x : std::min(first, ours.x);
      last = std::max(last, ours.x);
      ++all;
    }
  }
}

std::string everywhere_words(const LinePlan& plan, const SharesSeen& seen) {
  if (seen.all == 0) return "";
  const std::string eager = advised_title("eager");
  const std::string shares =
      fmt::format("{} to {}", place_words(plan, seen.first), place_words(plan, seen.last));
  if (seen.less == seen.all || seen.more == seen.all) {
    return fmt::format("is {} than {} at every share measured, {}",
                       seen.more == 0 ? "cheaper" : "dearer", eager, shares);
  }
  if (seen.less + seen.more == 0)
    return fmt::format("shows no difference to {}, {}", eager, shares);
  if (seen.less > 0 && seen.more > 0) {
    return fmt::format("is cheaper than {} at {} and dearer at {} of {} shares measured", eager,
                       seen.less, seen.more, seen.all);
  }
  return fmt::format("is {} than {} at {} of {} shares measured, and at the others no difference "
                     "is seen",
                     seen.less > 0 ? "cheaper" : "dearer", eager, seen.less + seen.more, seen.all);
}

std::string shares_sentence(const std::vector<CurveGroup>& groups) {
  const LinePlan& plan = *line_plan("share");
  std::string passed_over;
  for (const std::string_view mechanism : {"kernel", "handler", "fork"}) {
    const std::string title = mechanism_title(std::string(mechanism));
    const LazyShares shares = shares_of(groups, mechanism);
    const std::string words =
        shares.turns > 0 ? turn_words(plan, shares) : everywhere_words(plan, shares.others);
    if (!words.empty()) {
      return fmt::format("For stores after a clone, {} {}{}.", title, words, passed_over);
    }
    passed_over += fmt::format(
        "; {} {}", title, shares.is_measured ? "has too few samples to tell" : "was not measured");
  }
  return "";
}

}  // namespace cow::tool
