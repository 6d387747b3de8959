#include "memory_use.hpp"

#include <cow/region.hpp>
#include <cow/stats.hpp>

#include <algorithm>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

#include "machine.hpp"
#include "session.hpp"
#include "stores.hpp"

namespace cow_bench {

namespace {

/// `count` distinct pages; the same for the same `seed`.
std::vector<std::size_t> spread_pages(std::size_t pages, std::size_t count, Spread spread,
                                      std::uint64_t seed) {
  if (spread == Spread::singles) {
    return choose_pages(pages, count, Order::random, seed);
  }
  const std::size_t run = std::min(count, spread == Spread::block ? count : 16);
  const std::size_t runs = (count + run - 1) / run;
  // Every run has a slot of its own length, so that none overlap.
  std::vector<std::size_t> chosen;
  for (const std::size_t slot : choose_pages(pages / run, runs, Order::random, seed)) {
    for (std::size_t i = 0; i < run && chosen.size() < count; ++i) {
      chosen.push_back(slot * run + i);
    }
  }
  return chosen;
}

/// Kernel mappings of a clone in which just these pages are its own.
std::size_t mappings_for(std::vector<std::size_t> written, std::size_t pages) {
  std::sort(written.begin(), written.end());
  std::size_t mappings = 0;
  std::size_t next = 0;  // the page after the last written one
  for (const std::size_t page : written) {
    if (page > next) {
      mappings += 2;  // the shared pages before it, and itself
    } else if (page == 0) {
      mappings += 1;
    }
    next = page + 1;
  }
  return mappings + (next < pages ? 1 : 0);
}

std::uint64_t value_in(std::size_t clone, std::size_t page) { return (clone << 32U) | page; }

}  // namespace

std::string_view name_of(Spread spread) {
  switch (spread) {
    case Spread::block: return "one block";
    case Spread::runs: return "runs of 16 pages";
    case Spread::singles: return "single pages";
  }
  return "?";
}

double MemoryUse::frames_ratio() const {
  return static_cast<double>(frames_in_use) / static_cast<double>(frames_least);
}

double MemoryUse::metadata_ratio() const {
  return static_cast<double>(bytes_metadata) / static_cast<double>(bytes_as_copies);
}

MemoryUse measure_crowd(const Crowd& crowd) {
  const std::size_t frames_before = cow::process_stats().frames_in_use;
  cow::Region original = protected_region(crowd.bytes, crowd.options);
  const std::size_t pages = pages_of(original).count;
  const std::size_t count = share_of(pages, crowd.per_mille);
  std::vector<std::vector<std::size_t>> written;
  for (std::size_t i = 0; i < crowd.clones; ++i) {
    written.push_back(spread_pages(pages, count, crowd.spread, i));
  }
  MemoryUse use;
  std::vector<cow::Region> clones;
  clones.reserve(crowd.clones);

  const std::size_t reserve = available_bytes() / 4;
  const std::uint64_t start = now_ns();
  for (std::size_t i = 0; i < crowd.clones && available_bytes() > reserve; ++i) {
    clones.push_back(original.clone());
    const Pages clone = pages_of(clones.back());
    for (const std::size_t page : written[i]) {
      clone.store(page, value_in(i, page));
    }
  }
  use.seconds = elapsed_ns(start) * 1e-9;

  const cow::ProcessStats stats = cow::process_stats();
  use.frames_in_use = stats.frames_in_use - frames_before;
  use.clones = clones.size();
  use.frames_least = (pages + use.clones * count) * original.page_bytes() / host_page_bytes();
  use.bytes_metadata = stats.bytes_metadata;
  use.bytes_as_copies = use.clones * crowd.bytes;
  use.mappings_in_use = stats.mappings_in_use;
  use.mapping_budget = stats.mapping_budget;
  for (std::size_t i = 0; i < use.clones; ++i) {
    const Pages clone = pages_of(clones[i]);
    use.mappings_wanted += mappings_for(written[i], pages);
    for (const std::size_t page : written[i]) {
      if (clone.load(page) != value_in(i, page)) {
        throw std::runtime_error("a clone lost a store");
      }
    }
  }
  return use;
}

}  // namespace cow_bench
