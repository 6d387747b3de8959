#include "mm/fault/heat.hpp"

#include <algorithm>

namespace cow {

namespace {

// A run that is protected and opened in each round is not worth that if it is not half as long as
// the price: its faults are hardly dearer.
constexpr std::uint64_t kShortestProtectedRun = 4;

// What a run costs in each round beside its copies: nothing to its owner's promise.
std::uint64_t price_of_run(HotPages::Stores stores, const FaultPrices& prices) noexcept {
  switch (stores) {
    case HotPages::Stores::none_promised: return 0;
    case HotPages::Stores::none: return prices.mapping_in_copies;
    case HotPages::Stores::held_off: return prices.protections_in_copies;
  }
  __builtin_unreachable();
}

// By how much an entry changes that nobody found stored to.
unsigned cooled(unsigned heat, std::uint32_t degrees) noexcept {
  const unsigned warm = std::min(heat, Entry::kWarmest);
  return warm > degrees ? warm - degrees : 0;
}

// An entry that is writable. 0: to be protected again, be it that nobody knows it yet or that its
// copies have cost as much as the fault will. The longer it was not stored to the fewer copies it
// is worth: that it was at all may be chance.
unsigned heated(Entry entry, std::uint32_t degrees, std::uint64_t price) noexcept {
  const unsigned heat = entry.heat();
  if (!entry.store_was_seen() && heat == 0)
    return Entry::kWarmest + 1;  // as warm as its neighbours
  if (heat <= Entry::kWarmest) {
    const unsigned warm = cooled(heat, degrees);
    return warm > 0 ? 2 * Entry::kWarmest - warm : 0;
  }
  const std::uint64_t paid = heat + std::min<std::uint64_t>(degrees, Entry::kHottest) * price;
  return paid <= Entry::kHottest ? static_cast<unsigned>(paid) : 0;
}

// What the entries of a leaf tell of the stores since the last snapshot.
struct Stores {
  std::size_t writable = 0;
  std::size_t seen = 0;  ///< pages that are writable by a store of their own, now or once
  std::size_t warm = 0;  ///< those of them that were stored to lately, too
};

Stores stores_to(const Leaf& leaf, std::uint32_t degrees) noexcept {
  Stores stores;
  for (const Entry entry : leaf.entries) {
    if (!entry.writable() || entry.leased() || entry.never_stored()) continue;
    ++stores.writable;
    if (!entry.store_was_seen()) continue;
    ++stores.seen;
    stores.warm += entry.hot() || cooled(entry.heat(), degrees) > 0 ? 1 : 0;
  }
  return stores;
}

// Of scattered stores a few fall on warm pages by chance, and copying those would only add to the
// faults of the others.
bool is_mostly_warm(const Stores& stores) noexcept { return 2 * stores.warm >= stores.seen; }

// Only a fault tells of a store, but where every fourth page has told of one, those that windows
// took along are as good as stored to: by the next window, at the latest, they are copied anyway.
bool is_dense(const Stores& stores) noexcept { return 4 * stores.seen >= stores.writable; }

// Whether a page is hot, or may become hot if others around it are, too.
bool is_candidate(Entry entry, bool takes_all) noexcept {
  // A hole has nothing to copy, and somebody must learn whether it is one still.
  if (!entry.writable() || entry.leased() || entry.never_stored()) return false;
  return entry.hot() || takes_all || (entry.heat() > 0 && entry.store_was_seen());
}

}  // namespace

std::uint64_t update_heat(Leaf& leaf, std::uint32_t round, HotPages pages,
                          std::uint64_t page_in_copies, const FaultPrices& prices) noexcept {
  const bool knows_any = leaf.heat_round != 0;
  // A round counts by what a copy in it costs: large pages cool sooner.
  const auto degrees = static_cast<std::uint32_t>(
      std::min<std::uint64_t>((round - leaf.heat_round) * page_in_copies, 2 * Entry::kHottest));
  leaf.heat_round = round;
  if (!knows_any) {
    // Of a relative, perhaps, whose rounds were others: none has paid for being hot here.
    for (Entry& entry : leaf.entries) {
      if (entry.hot()) entry.set_heat(Entry::kWarmest);
    }
    return 0;
  }

  const Stores stores = stores_to(leaf, degrees);
  const bool may_heat = is_mostly_warm(stores);
  const bool takes_all = may_heat && is_dense(stores);
  const auto is_one = [=](Entry entry) { return is_candidate(entry, takes_all); };
  std::uint64_t hot = 0;
  for (auto first = leaf.entries.begin(); first != leaf.entries.end();) {
    if (!is_one(*first)) {
      if (first->heat() > 0) first->set_heat(cooled(first->heat(), degrees));
      ++first;
      continue;
    }
    const auto last = std::find_if_not(first, leaf.entries.end(), is_one);
    const auto length = static_cast<std::uint64_t>(last - first);
    const bool is_worth_it =
        pages.stores != HotPages::Stores::held_off || length >= kShortestProtectedRun;
    const std::uint64_t price = 1 + price_of_run(pages.stores, prices) / (length * page_in_copies);
    for (; first != last; ++first) {
      const bool may_be_hot = is_worth_it && hot < pages.most.value && (may_heat || first->hot());
      first->set_heat(may_be_hot ? heated(*first, degrees, price) : 0);
      hot += first->hot() ? 1 : 0;
    }
  }
  return hot;
}

}  // namespace cow
