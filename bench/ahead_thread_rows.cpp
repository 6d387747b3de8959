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

enum class Side : std::size_t { windows, single_pages, kernel };

constexpr std::array<const char*, 3> side_names = {"a fresh lazy clone", "the same without windows",
                                                   "the kernel's own: MAP_PRIVATE of a memfd"};

}  // namespace

Group threads_beside_kernel() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  cow::RegionOptions without_windows;
  without_windows.max_window_pages = 1;
  const cow::Region region = protected_region(bytes);
  const cow::Region other = protected_region(bytes, without_windows);
  const FilledMemfd file(bytes);
  const std::size_t pages = region.size() / region.page_bytes();
  const std::size_t stores = full_or_quick<std::size_t>(4096, 128);
  std::array<std::array<Samples, thread_counts.size()>, side_names.size()> times;
  std::uint64_t seed = 0;
  take_turns(rounds(7), [&](bool wanted) {
    const auto chosen = choose_pages(pages, stores, Order::random, ++seed);
    for (std::size_t i = 0; i < thread_counts.size(); ++i) {
      const auto measure = [&](Side side, const Pages& memory) {
        keep(wanted, times[static_cast<std::size_t>(side)][i],
             time_shared_stores(memory, chosen, thread_counts[i]));
      };
      cow::Region clone = region.clone();
      measure(Side::windows, pages_of(clone));
      cow::Region single = other.clone();
      measure(Side::single_pages, pages_of(single));
      const PlainMemory memory = file.map_private();
      measure(Side::kernel, memory.pages());
    }
  });

  Group group;
  const std::string what = "first stores to different pages, per page, ";
  const auto& kernel = times[static_cast<std::size_t>(Side::kernel)];
  for (std::size_t i = 0; i < thread_counts.size(); ++i) {
    group.rows.push_back({.what = what + with_threads(thread_counts[i]),
                          .ours = side_names[0],
                          .theirs = side_names[2],
                          .our_samples = times[0][i],
                          .their_samples = kernel[i]});
  }
  for (std::size_t i = 1; i < thread_counts.size(); ++i) {
    for (std::size_t side = 0; side < side_names.size(); ++side) {
      group.rows.push_back({.what = what + with_threads(thread_counts[i]) + " against 1",
                            .ours = side_names[side],
                            .theirs = "1 thread",
                            .our_samples = times[side][i],
                            .their_samples = times[side][0]});
    }
  }
  return group;
}

}  // namespace cow_bench
