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

cow::Region not_stored_to(const cow::Region& region) { return region.clone(); }
PlainMemory not_stored_to(const FilledMemfd& file) { return file.map_private(); }

Pages all_of(cow::Region& region) { return pages_of(region); }
Pages all_of(const PlainMemory& memory) { return memory.pages(); }

/// A figure for each number of threads, of pages that nobody has stored to yet.
template <typename Make>
Prepare shared_stores(Make make) {
  return turns_over(make, [](const auto& original, std::uint64_t turn) {
    std::vector<double> times;
    for (const std::size_t threads : thread_counts) {
      auto memory = not_stored_to(original);
      const Pages pages = all_of(memory);
      const std::size_t stores = full_or_quick<std::size_t>(4096, 128);
      const auto chosen = choose_pages(pages.count, stores, Order::random, turn);
      times.push_back(time_shared_stores(pages, chosen, threads));
    }
    return Figures(times);
  });
}

constexpr std::array<const char*, 3> side_names = {"a fresh lazy clone", "the same without windows",
                                                   "the kernel's own: MAP_PRIVATE of a memfd"};

}  // namespace

Group threads_beside_kernel() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  cow::RegionOptions without_windows;
  without_windows.max_window_pages = 1;
  std::array<std::array<Samples, thread_counts.size()>, side_names.size()> times;
  const auto figures_of = [&times](std::size_t side) {
    std::vector<Samples*> figures;
    for (Samples& samples : times.at(side)) figures.push_back(&samples);
    return figures;
  };
  Turns turns(rounds(7));
  turns.have_company();
  turns.add(side_names[0], shared_stores([=] { return protected_region(bytes); }), figures_of(0));
  turns.add(side_names[1], shared_stores([=] { return protected_region(bytes, without_windows); }),
            figures_of(1));
  turns.add(side_names[2], shared_stores([=] { return FilledMemfd(bytes); }), figures_of(2));
  turns.take();

  Group group;
  const std::string what = "first stores to different pages, per page, ";
  const auto& kernel = times[2];
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
