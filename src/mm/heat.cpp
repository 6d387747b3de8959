#include "mm/heat.hpp"

#include <algorithm>

namespace cow {

namespace {

// Two protections of a run cost as much as so many pages copied. A run that is not half as long is
// not worth them: its faults are hardly dearer.
constexpr std::uint64_t kProtectionsInPages = 8;
constexpr std::uint64_t kShortestProtectedRun = 4;

// By how much an entry changes that nobody found stored to.
unsigned cooled(unsigned heat, std::uint32_t degrees) noexcept {
  const unsigned warm = std::min(heat, Entry::kWarmest);
  return warm > degrees ? warm - degrees : 0;
}

// An entry that is writable. 0: to be protected again, be it that nobody knows it yet or that its
// copies have cost as much as the fault will.
unsigned heated(unsigned heat, std::uint32_t degrees, std::uint64_t price) noexcept {
  if (heat <= Entry::kWarmest) return cooled(heat, degrees) > 0 ? Entry::kWarmest + 1 : 0;
  const std::uint64_t paid = heat + std::min<std::uint64_t>(degrees, Entry::kHottest) * price;
  return paid <= Entry::kHottest ? static_cast<unsigned>(paid) : 0;
}

}  // namespace

std::uint64_t update_heat(Leaf& leaf, std::uint32_t round, HotPages pages) noexcept {
  const bool knows_any = leaf.heat_round != 0;
  const std::uint32_t degrees =
      round / Entry::kRoundsForADegree - leaf.heat_round / Entry::kRoundsForADegree;
  leaf.heat_round = round;
  if (!knows_any) return 0;

  const auto is_candidate = [](Entry entry) {
    return entry.writable() && !entry.leased() && entry.heat() > 0;
  };
  std::uint64_t hot = 0;
  for (auto first = leaf.entries.begin(); first != leaf.entries.end();) {
    if (!is_candidate(*first)) {
      if (first->heat() > 0) first->set_heat(cooled(first->heat(), degrees));
      ++first;
      continue;
    }
    const auto last = std::find_if_not(first, leaf.entries.end(), is_candidate);
    const auto length = static_cast<std::uint64_t>(last - first);
    const bool is_worth_it = !pages.protect || length >= kShortestProtectedRun;
    const std::uint64_t price = pages.protect ? 1 + kProtectionsInPages / length : 1;
    for (; first != last; ++first) {
      const bool may_be_hot = is_worth_it && hot < pages.most.value;
      first->set_heat(may_be_hot ? heated(first->heat(), degrees, price) : 0);
      hot += first->hot() ? 1 : 0;
    }
  }
  return hot;
}

}  // namespace cow
