#pragma once

// Orders in which a program may store to the pages of a clone: what the bound on the cost of
// windows is claimed for (docs/windows.md), tested with (tests/ski_rental_test.cpp) and measured
// over (bench/pattern_bench.cpp). Only the first store to a page matters, so a pattern is an order
// of all pages, each once; a part of them is a beginning of it.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace store_patterns {

/// What a pattern calls a block: as many pages as libcow buys at once.
inline constexpr std::size_t block_pages = 64;

using Order = std::vector<std::size_t>;

inline Order forward(std::size_t pages) {
  Order order(pages);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

inline Order backward(std::size_t pages) {
  Order order = forward(pages);
  std::ranges::reverse(order);
  return order;
}

inline Order random(std::size_t pages, std::uint64_t seed) {
  Order order = forward(pages);
  std::mt19937_64 generator(seed);
  std::shuffle(order.begin(), order.end(), generator);
  return order;
}

/// Every `stride`-th page, then their right-hand neighbours, and so on: the columns of a matrix.
inline Order strided(std::size_t pages, std::size_t stride) {
  Order order;
  order.reserve(pages);
  for (std::size_t column = 0; column < stride; ++column) {
    for (std::size_t page = column; page < pages; page += stride) {
      order.push_back(page);
    }
  }
  return order;
}

/// Stores that hit page r with a probability as 1 / (r + 1), in the order in which pages are hit
/// first. Drawing without replacement gives that order: Efraimidis and Spirakis 2006.
inline Order zipf(std::size_t pages, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::exponential_distribution<double> wait(1.0);
  std::vector<std::pair<double, std::size_t>> hits(pages);
  for (std::size_t page = 0; page < pages; ++page) {
    hits[page] = {wait(generator) * static_cast<double>(page + 1), page};
  }
  std::ranges::sort(hits);
  Order order(pages);
  std::ranges::transform(hits, order.begin(), [](const auto& hit) { return hit.second; });
  return order;
}

/// Clusters of 1 to 32 pages, each from its first page to its last, anywhere.
inline Order clustered(std::size_t pages, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::uniform_int_distribution<std::size_t> length(1, 32);
  std::vector<std::pair<std::size_t, std::size_t>> clusters;
  for (std::size_t first = 0; first < pages;) {
    const std::size_t last = std::min(pages, first + length(generator));
    clusters.emplace_back(first, last);
    first = last;
  }
  std::shuffle(clusters.begin(), clusters.end(), generator);
  Order order;
  order.reserve(pages);
  for (const auto& [first, last] : clusters) {
    for (std::size_t page = first; page < last; ++page) {
      order.push_back(page);
    }
  }
  return order;
}

/// One page of each block, then another one of each, and so on: all blocks fill up together.
inline Order one_page_a_block(std::size_t pages, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<Order> blocks;
  for (std::size_t first = 0; first < pages; first += block_pages) {
    Order block(std::min(block_pages, pages - first));
    std::iota(block.begin(), block.end(), first);
    std::shuffle(block.begin(), block.end(), generator);
    blocks.push_back(std::move(block));
  }
  Order order;
  order.reserve(pages);
  for (std::size_t turn = 0; turn < block_pages; ++turn) {
    for (const Order& block : blocks) {
      if (turn < block.size()) {
        order.push_back(block[turn]);
      }
    }
  }
  return order;
}

/// All pages of one block in any order, then all of another one anywhere.
inline Order whole_blocks(std::size_t pages, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  Order starts;
  for (std::size_t first = 0; first < pages; first += block_pages) {
    starts.push_back(first);
  }
  std::shuffle(starts.begin(), starts.end(), generator);
  Order order;
  order.reserve(pages);
  for (const std::size_t first : starts) {
    const auto begin = static_cast<std::ptrdiff_t>(order.size());
    for (std::size_t page = first; page < std::min(pages, first + block_pages); ++page) {
      order.push_back(page);
    }
    std::shuffle(order.begin() + begin, order.end(), generator);
  }
  return order;
}

struct Pattern {
  std::string name;
  Order order;
};

/// Every pattern there is, over `pages` pages; the same for the same seed.
inline std::vector<Pattern> all(std::size_t pages, std::uint64_t seed) {
  std::vector<Pattern> patterns = {{"forward", forward(pages)},
                                   {"backward", backward(pages)},
                                   {"random", random(pages, seed)},
                                   {"Zipf", zipf(pages, seed)},
                                   {"clustered", clustered(pages, seed)},
                                   {"one page a block", one_page_a_block(pages, seed)},
                                   {"whole blocks", whole_blocks(pages, seed)}};
  for (const std::size_t stride : {2U, 3U, 4U, 8U, 16U, 32U, 64U}) {
    patterns.push_back({"strided by " + std::to_string(stride), strided(pages, stride)});
  }
  return patterns;
}

/// How many pages of `pages` to have stored to when looking at the cost: about `steps` for each
/// factor of 10, rising, the last one all of them.
inline std::vector<std::size_t> checkpoints(std::size_t pages, std::size_t steps) {
  std::vector<std::size_t> counts;
  const double factor = std::pow(10.0, 1.0 / static_cast<double>(steps));
  for (double at = 1; at < static_cast<double>(pages); at *= factor) {
    const auto count = static_cast<std::size_t>(at);
    if (counts.empty() || counts.back() < count) {
      counts.push_back(count);
    }
  }
  counts.push_back(pages);
  return counts;
}

}  // namespace store_patterns
