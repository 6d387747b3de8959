#include "measure/experiments/stores.hpp"

#include <algorithm>
#include <random>
#include <unordered_set>

#include "measure/experiments/store_patterns.hpp"

namespace cow::measure {

std::string_view name_of(Pattern pattern) {
  switch (pattern) {
    case Pattern::sequential: return "sequential";
    case Pattern::random: return "random";
    case Pattern::strided: return "strided";
    case Pattern::zipf: return "zipf";
    case Pattern::clustered: return "clustered";
  }
  return "?";
}

PageOrder pages_of(Pattern pattern, std::size_t pages, std::size_t count, std::uint64_t seed) {
  constexpr std::size_t stride = 16;
  PageOrder order;
  switch (pattern) {
    case Pattern::sequential: order = store_patterns::forward(pages); break;
    case Pattern::random: order = store_patterns::random(pages, seed); break;
    case Pattern::strided: order = store_patterns::strided(pages, stride); break;
    case Pattern::zipf: order = store_patterns::zipf(pages, seed); break;
    case Pattern::clustered: order = store_patterns::clustered(pages, seed); break;
  }
  order.resize(std::min(count, pages));
  return order;
}

std::size_t share_of(std::size_t pages, double share) {
  return std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(pages) * share));
}

PageOrder distinct_pages(std::size_t pages, std::size_t count, std::uint64_t seed) {
  if (count >= pages / 4) return pages_of(Pattern::random, pages, count, seed);
  std::mt19937_64 generator(seed);
  std::unordered_set<std::size_t> seen;
  PageOrder chosen;
  chosen.reserve(count);
  while (chosen.size() < count) {
    const auto page = static_cast<std::size_t>(generator() % pages);
    if (seen.insert(page).second) chosen.push_back(page);
  }
  return chosen;
}

}  // namespace cow::measure
