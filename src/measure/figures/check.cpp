#include "measure/figures/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string_view>

#include "measure/figures/environments.hpp"
#include "measure/figures/rank_test.hpp"
#include "measure/figures/result_json.hpp"
#include "measure/figures/turns.hpp"

namespace cow::measure {

namespace {

constexpr double least_relevant_change = 0.05;

using RowsByName = std::map<std::string, const Row*>;

RowsByName by_name(const Result& result, const char* which, std::vector<std::string>& notes) {
  RowsByName rows;
  for (const Row& row : result.rows) {
    if (!rows.emplace(name_of(row), &row).second) {
      notes.push_back(
          fmt::format("{}: {} has it twice, and the first is compared", name_of(row), which));
    }
  }
  return rows;
}

/// What rows are of. Where the file was is a matter of the machine, not of the row; results of
/// earlier versions have what cannot be counted there.
nlohmann::ordered_json workload_parameters(const Row& row) {
  nlohmann::ordered_json parameters = row.parameters;
  for (const char* const circumstance : {"file", "counters_absent"}) parameters.erase(circumstance);
  return parameters;
}

/// Why two rows of one name are not of the same; empty if they are.
std::string why_not_the_same(const Row& before, const Row& after) {
  if (before.unit != after.unit) {
    return fmt::format("its unit was {} and is {}", before.unit, after.unit);
  }
  return workload_parameters(before) == workload_parameters(after)
             ? std::string{}
             : "its parameters are others now";
}

double noise_spread(const Result& result) {
  return result.noise_ns.empty() ? 0 : spread(result.noise_ns);
}

/// Which of the rows differ, where a share of 5 % of those may do so by chance: of n sorted
/// probabilities all up to the last that is no more than its place / n of it.
std::vector<bool> found(const std::vector<Change>& changes) {
  std::vector<std::size_t> order(changes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return changes[i].against.p; });
  std::size_t kept = 0;
  for (std::size_t place = 1; place <= order.size(); ++place) {
    const double share = static_cast<double>(place) / static_cast<double>(order.size());
    if (changes[order[place - 1]].against.p <= share * significance) kept = place;
  }
  std::vector<bool> is_found(changes.size(), false);
  for (std::size_t place = 0; place < kept; ++place) is_found[order[place]] = true;
  return is_found;
}

/// As a share of the smaller one, so that twice and half are as far.
double distance(double before, double after) {
  if (before == after) return 0;
  const double smaller = std::min(std::abs(before), std::abs(after));
  return smaller > 0 ? std::abs(after - before) / smaller : HUGE_VAL;
}

void judge(Check& check) {
  const std::vector<bool> is_found = found(check.changes);
  for (std::size_t i = 0; i < check.changes.size(); ++i) {
    Change& change = check.changes[i];
    const bool is_change =
        is_found[i] && distance(change.before, change.after) > check.least_change;
    change.is_slower = is_change && change.against.difference == Difference::more;
    change.is_faster = is_change && change.against.difference == Difference::less;
  }
}

void compare_rows(const Row& before, const Row& after, Check& check) {
  const std::string name = name_of(after);
  if (after.status != Status::measured) {
    check.missing.push_back(name);
    check.notes.push_back(
        fmt::format("{}: {} now: {}", name, to_string(after.status), after.reason));
    return;
  }
  if (const std::string why = why_not_the_same(before, after); !why.empty()) {
    check.missing.push_back(name);
    check.notes.push_back(fmt::format("{}: {}", name, why));
    return;
  }
  check.changes.push_back({name, median(before.samples), median(after.samples),
                           compare(after, before), false, false, after.unit});
  if (!are_enough(after, before)) {
    check.notes.push_back(fmt::format("{}: too few to tell apart: {} before, {} now", name,
                                      count_words(before), count_words(after)));
  }
}

}  // namespace

bool Check::is_anything_slower() const { return std::ranges::any_of(changes, &Change::is_slower); }

bool Check::is_too_noisy() const { return least_change > most_noise; }

std::string Check::limit_words() const {
  // Rounded up, as that much is still not seen.
  const double percent = std::ceil(least_change * 100 - 1e-9);
  std::string words = fmt::format("changes below {:.0f} % are not seen", percent);
  if (is_too_noisy()) {
    words += fmt::format(
        ": the same plain work varied by that much, in the baseline's run or in this one; more "
        "than {:.0f} % is too noisy to check. End other work, or let the machine settle, and "
        "measure again",
        most_noise * 100);
  }
  return words;
}

Check check(const Result& baseline, const Result& now) {
  Check check;
  check.environment_differences = environment_differences(baseline, now);
  check.least_change = std::max({least_relevant_change, noise_spread(baseline), noise_spread(now)});
  const RowsByName before = by_name(baseline, "the baseline", check.notes);
  const RowsByName after = by_name(now, "the result", check.notes);
  const auto measured_before = [&](const Row& row) {
    const auto found = before.find(name_of(row));
    return found != before.end() && found->second->status == Status::measured ? found->second
                                                                              : nullptr;
  };
  for (const Row& row : now.rows) {
    if (after.at(name_of(row)) != &row) continue;  // the second of one name
    if (const Row* const old = measured_before(row)) {
      compare_rows(*old, row, check);
    } else if (row.status == Status::measured) {
      check.added.push_back(name_of(row));
    }
  }
  for (const Row& row : baseline.rows) {
    const std::string name = name_of(row);
    if (row.status == Status::measured && before.at(name) == &row && !after.contains(name)) {
      check.missing.push_back(name);
    }
  }
  judge(check);
  return check;
}

}  // namespace cow::measure
