#include <cow/cow.hpp>

#include <array>
#include <cstdint>
#include <latch>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "ahead_rows.hpp"
#include "plain_memory.hpp"

namespace cow_bench {

namespace {

/// Nanoseconds per store when `threads` threads share the stores to `which`, no page going to two.
double time_shared_stores(const Pages& pages, std::span<const std::size_t> which,
                          std::size_t threads) {
  std::latch ready(static_cast<std::ptrdiff_t>(threads));
  std::latch go(1);
  std::vector<std::jthread> running;
  const std::size_t each = which.size() / threads;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, mine = which.subspan(i * each, each)] {
      ready.count_down();
      go.wait();
      time_stores(pages, mine, 2);
    });
  }
  ready.wait();
  const std::uint64_t start = now_ns();
  go.count_down();
  running.clear();  // joins
  return elapsed_ns(start) / static_cast<double>(each * threads);
}

constexpr std::array<std::size_t, 4> thread_counts = {1, 2, 4, 8};

std::string with_threads(std::size_t threads) {
  return threads == 1 ? "1 thread" : std::to_string(threads) + " threads";
}

}  // namespace

Group threads_beside_kernel() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  const cow::Region region = protected_region(bytes);
  const FilledMemfd file(bytes);
  const std::size_t pages = region.size() / region.page_bytes();
  const std::size_t stores = full_or_quick<std::size_t>(4096, 128);
  std::array<Samples, thread_counts.size()> ours;
  std::array<Samples, thread_counts.size()> kernels;
  std::uint64_t seed = 0;
  take_turns(rounds(7), [&](bool wanted) {
    const auto chosen = choose_pages(pages, stores, Order::random, ++seed);
    for (std::size_t i = 0; i < thread_counts.size(); ++i) {
      cow::Region clone = region.clone();
      keep(wanted, ours[i], time_shared_stores(pages_of(clone), chosen, thread_counts[i]));
      const PlainMemory memory = file.map_private();
      keep(wanted, kernels[i], time_shared_stores(memory.pages(), chosen, thread_counts[i]));
    }
  });

  Group group;
  const std::string what = "first stores to different pages, per page, ";
  for (std::size_t i = 0; i < thread_counts.size(); ++i) {
    group.rows.push_back({.what = what + with_threads(thread_counts[i]),
                          .ours = "a fresh lazy clone",
                          .theirs = "MAP_PRIVATE of a memfd",
                          .our_samples = ours[i],
                          .their_samples = kernels[i]});
  }
  for (std::size_t i = 1; i < thread_counts.size(); ++i) {
    for (const bool kernel : {false, true}) {
      const auto& times = kernel ? kernels : ours;
      group.rows.push_back(
          {.what = what + with_threads(thread_counts[i]) + " against 1",
           .ours = kernel ? "the kernel's own: MAP_PRIVATE of a memfd" : "a fresh lazy clone",
           .theirs = "1 thread",
           .our_samples = times[i],
           .their_samples = times[0]});
    }
  }
  return group;
}

}  // namespace cow_bench
