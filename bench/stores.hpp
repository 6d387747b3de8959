#pragma once

// Stores to pages: which, in what order, how long they take.

#include <cow/region.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "samples.hpp"

namespace cow_bench {

/// The order in which a benchmark stores to pages, one word to each.
enum class Order {
  sequential,  ///< the first pages, one after the other
  random,      ///< distinct pages anywhere
  strided,     ///< every 16th page, then their right-hand neighbours, and so on: a matrix's columns
};

inline constexpr Order every_order[] = {Order::sequential, Order::random, Order::strided};

[[nodiscard]] std::string_view name_of(Order order);

/// `count` distinct pages of `pages` in that order; the same for the same `seed`.
[[nodiscard]] std::vector<std::size_t> choose_pages(std::size_t pages, std::size_t count,
                                                    Order order, std::uint64_t seed);

/// `count` pages of `pages`, each drawn anew, so that one may come more than once; the same for the
/// same `seed`. Cost: O(count).
[[nodiscard]] std::vector<std::size_t> draw_pages(std::size_t pages, std::size_t count,
                                                  std::uint64_t seed);

/// `per_mille` thousandths of `pages`, at least one.
[[nodiscard]] std::size_t share_of(std::size_t pages, std::size_t per_mille);

/// Some bytes and the size of their pages, whoever mapped them.
struct Pages {
  std::byte* first = nullptr;
  std::size_t count = 0;
  std::size_t page_bytes = 0;

  /// One word in the middle of a page: an ordinary store of the program.
  void store(std::size_t page, std::uint64_t value) const {
    auto* word = reinterpret_cast<std::uint64_t*>(first + page * page_bytes + page_bytes / 2);
    *static_cast<volatile std::uint64_t*>(word) = value;
  }

  [[nodiscard]] std::uint64_t load(std::size_t page) const {
    auto* word = reinterpret_cast<std::uint64_t*>(first + page * page_bytes + page_bytes / 2);
    return *static_cast<volatile std::uint64_t*>(word);
  }
};

[[nodiscard]] Pages pages_of(cow::Region& region);

/// A region with every page stored to.
[[nodiscard]] cow::Region written_region(std::size_t bytes, const cow::RegionOptions& options = {});

/// The same with every page read-only again, as a clone leaves it.
[[nodiscard]] cow::Region protected_region(std::size_t bytes,
                                           const cow::RegionOptions& options = {});

void store_to_all(const Pages& pages, std::uint64_t value);
void load_all(const Pages& pages);

/// Nanoseconds that a store to each of `which` takes, altogether.
double time_stores(const Pages& pages, std::span<const std::size_t> which, std::uint64_t value);

/// Nanoseconds that a store takes if `count` pages are stored to in that order, see choose_pages.
double time_per_store(const Pages& pages, std::size_t count, Order order, std::uint64_t seed);

/// Nanoseconds that each single store takes, the two readings of the clock included.
Samples time_each_store(const Pages& pages, std::span<const std::size_t> which,
                        std::uint64_t value);

}  // namespace cow_bench
